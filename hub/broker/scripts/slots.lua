-- Takes, keeps and frees slots of jobs: places of which a job has so many at a time.
--
-- KEYS  for each operation: the job's slots, a hash of name -> '<expiry in ms> <owner>'
-- ARGV  1 milliseconds that a slot lives  2 slots that a job has
--       then for each operation: 'take', 'keep' or 'free'  name of the slot  owner
-- Returns for each 1 when it is done, 0 when no slot is free, -1 when the slot that was to be kept
-- is another owner's by now. To take a slot of that name takes it over from its owner.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ttl, limit = tonumber(ARGV[1]), tonumber(ARGV[2])

local function owner_of(key, name)
  local expiry, owner = string.match(redis.call('HGET', key, name) or '', '^(%d+) (.*)$')
  return expiry and tonumber(expiry) > now and owner or nil
end

local function taken(key)
  local all, count = redis.call('HGETALL', key), 0
  for index = 1, #all, 2 do
    if tonumber(string.match(all[index + 1], '^%d+')) > now then
      count = count + 1
    else
      redis.call('HDEL', key, all[index])
    end
  end
  return count
end

local answers = {}
for index, key in ipairs(KEYS) do
  local operation, name, owner = ARGV[3 * index], ARGV[3 * index + 1], ARGV[3 * index + 2]
  local holder = owner_of(key, name)
  if operation == 'free' then
    if holder == owner then
      redis.call('HDEL', key, name)
    end
    answers[index] = 1
  elseif operation == 'keep' and holder and holder ~= owner then
    answers[index] = -1
  elseif holder or taken(key) < limit then
    redis.call('HSET', key, name, string.format('%d %s', now + ttl, owner))
    redis.call('PEXPIRE', key, ttl)
    answers[index] = 1
  else
    answers[index] = 0
  end
end
return answers
