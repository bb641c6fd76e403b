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
  for index = 1, #found[2], 2 do
    if found[2][index] == 'p' then
      redis.call('XADD', KEYS[2], '*', 'p', found[2][index + 1])
    end
  end
end
redis.call('XDEL', KEYS[1], ARGV[2])
return 1
