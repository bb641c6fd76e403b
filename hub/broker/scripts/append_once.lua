-- Appends a publication to its journal unless the same id was appended a short while ago.
--
-- KEYS  1 journal  2 mark of the publication's id
-- ARGV  1 publication  2 seconds to remember the id  3 traceparent, or empty
-- Returns 1 when appended, 0 when it is a repeat.
if redis.call('EXISTS', KEYS[2]) == 1 then
  return 0
end
if ARGV[3] == '' then
  redis.call('XADD', KEYS[1], '*', 'p', ARGV[1])
else
  redis.call('XADD', KEYS[1], '*', 'p', ARGV[1], 't', ARGV[3])
end
redis.call('SET', KEYS[2], '1', 'EX', ARGV[2])
return 1
