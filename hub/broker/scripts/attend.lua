-- Notes how many connections users have on a node, if they may have that many on the whole cluster.
--
-- KEYS  1 sorted set of the nodes that serve: node -> until when (ms)
--       then for each operation: the user's hash of node -> connections
-- ARGV  1 node  2 milliseconds that the node is believed  3 connections that a user may have
--       4 milliseconds that a hash is kept
--       then for each operation: 'come' or 'note'  connections on this node from now on
-- Returns for each 1 when it is done, 0 when the user would have too many: then nothing changes.
-- Numbers are always whole counts, never differences: a repeat does no harm. What a dead node said
-- does not count.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local node, limit = ARGV[1], tonumber(ARGV[3])
redis.call('ZADD', KEYS[1], now + ARGV[2], node)
if #KEYS == 1 then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. now)
end

local function elsewhere(key)
  local all, count = redis.call('HGETALL', key), 0
  for index = 1, #all, 2 do
    if all[index] ~= node then
      local until_ms = redis.call('ZSCORE', KEYS[1], all[index])
      if until_ms and tonumber(until_ms) > now then
        count = count + tonumber(all[index + 1])
      else
        redis.call('HDEL', key, all[index])
      end
    end
  end
  return count
end

local answers = {}
for index = 2, #KEYS do
  local key, kind, count = KEYS[index], ARGV[2 * index + 1], tonumber(ARGV[2 * index + 2])
  if kind == 'come' and elsewhere(key) + count > limit then
    answers[index - 1] = 0
  else
    if count == 0 then
      redis.call('HDEL', key, node)
    else
      redis.call('HSET', key, node, count)
      redis.call('PEXPIRE', key, ARGV[4])
    end
    answers[index - 1] = 1
  end
end
return answers
