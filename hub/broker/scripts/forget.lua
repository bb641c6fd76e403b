-- Forgets what is kept no longer than needed, unless it was replaced meanwhile.
--
-- KEYS  1 hash
-- ARGV  field and value, for each
local done = 0
for index = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[index]) == ARGV[index + 1] then
    done = done + redis.call('HDEL', KEYS[1], ARGV[index])
  end
end
return done
