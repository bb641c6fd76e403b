-- Reads a partition's journal for whoever holds its lease, and for nobody else: what a reader took
-- that had lost the lease would be looked for by no one until the lease moves again.
--
-- KEYS  1 journal  2 lease
-- ARGV  1 holder, "" for anybody  2 group  3 consumer  4 ">" or "0"  5 how many
-- Returns 0 when somebody else holds the lease; else the entries, and the id after which new ones
-- will come.
if ARGV[1] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
local found = redis.pcall(
  'XREADGROUP', 'GROUP', ARGV[2], ARGV[3], 'COUNT', ARGV[5], 'STREAMS', KEYS[1], ARGV[4]
)
if found and found.err then
  return found
end
local about = redis.call('XINFO', 'STREAM', KEYS[1])
for place = 1, #about, 2 do
  if about[place] == 'last-generated-id' then
    return {found and found[1][2] or {}, about[place + 1]}
  end
end
