-- Saves legs of sessions, each unless a later save of it was here before; or ends them.
--
-- KEYS  the legs
-- ARGV  for each of them: its revision, which rises with every save  milliseconds to live, 0 ends
--       it  content
-- Returns how many were saved or ended.
local done = 0
for index, key in ipairs(KEYS) do
  local revision, ttl, content = ARGV[3 * index - 2], ARGV[3 * index - 1], ARGV[3 * index]
  local saved = ttl ~= '0' and redis.call('GET', key)
  if ttl == '0' then
    redis.call('DEL', key)
    done = done + 1
  elseif not saved or tonumber(string.match(saved, '^%d+')) <= tonumber(revision) then
    redis.call('SET', key, revision .. ' ' .. content, 'PX', ttl)
    done = done + 1
  end
end
return done
