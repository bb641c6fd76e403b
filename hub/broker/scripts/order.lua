-- Keeps an order for all nodes and tells it to them, in one step.
--
-- KEYS  1 hash of what is kept  2 live channel of orders
-- ARGV  1 'cluster' or 'server'  2 the order  3 its field in the hash, '' for none
--       4 what to keep, '' for nothing any more
local sharded = ARGV[1] == 'cluster' and redis.REDIS_VERSION_NUM
if ARGV[3] ~= '' and ARGV[4] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
elseif ARGV[3] ~= '' then
  redis.call('HDEL', KEYS[1], ARGV[3])
end
redis.call(sharded and 'SPUBLISH' or 'PUBLISH', KEYS[2], 'orders 1\n' .. ARGV[2])
return 1
