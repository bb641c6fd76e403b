-- Puts a dead letter back on its partition's journal, or throws it away; once.
--
-- KEYS  1 dead letters  2 journal
-- ARGV  1 'replay' or 'drop'  2 the letter's entry
-- Returns 1 when it was there, else 0.
local found = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
if not found then
  return 0
end
if ARGV[1] == 'replay' then
  local kept = {}
  for index = 1, #found[2], 2 do
    local name = found[2][index]
    if name == 'p' or name == 't' then
      kept[#kept + 1] = name
      kept[#kept + 1] = found[2][index + 1]
    end
  end
  if #kept > 0 then
    redis.call('XADD', KEYS[2], '*', unpack(kept))
  end
end
redis.call('XDEL', KEYS[1], ARGV[2])
return 1
