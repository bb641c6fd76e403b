-- Appends events to a channel's hot log and tells the nodes that follow it, in one step.
-- A repeat appends and tells nothing; a log that would have a hole or another epoch begins anew.
--
-- KEYS  1 hot log  2 live channel
-- ARGV  1 epoch  2 offset of the first event  3 entries to keep  4 seconds to live
--       5 Unix time in ms when the log has to be gone, 0 for never
--       6 'cluster' or 'server'
--       7 who asked, for tracing: OFFSET=TRACEPARENT;…, mostly empty  8… envelopes
-- Returns how many events were new.
--
-- In a cluster a plain message goes to every server; a sharded one stays where its channel is. Since
-- version 7, which is the first to tell scripts its version; subscribers decide by the version of
-- this same server (link.py).
local log, live = KEYS[1], KEYS[2]
local epoch, first = ARGV[1], tonumber(ARGV[2])
local last = first - 1
local tail = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
if tail then
  local offset = tonumber(string.match(tail[1], '^%d+'))
  if tail[2][2] ~= epoch or offset < last then
    redis.call('DEL', log)
  else
    last = offset
  end
else
  redis.call('DEL', log)  -- one that was trimmed to nothing still refuses ids below its last one
end
local fresh = {}
for index = 8 + last - first + 1, #ARGV do
  local offset = first + index - 8
  redis.call('XADD', log, 'MAXLEN', '~', ARGV[3], string.format('%d-0', offset),
             'epoch', epoch, 'event', ARGV[index])
  fresh[#fresh + 1] = ARGV[index]
end
if #fresh == 0 then
  return 0
end
redis.call('EXPIRE', log, ARGV[4])
if ARGV[5] ~= '0' then
  local time = redis.call('TIME')
  local left = tonumber(ARGV[5]) - time[1] * 1000 - math.floor(time[2] / 1000)
  if left < ARGV[4] * 1000 then
    redis.call('PEXPIRE', log, left)
  end
end
local sharded = ARGV[6] == 'cluster' and redis.REDIS_VERSION_NUM
local head = string.format('%s %d', epoch, last + 1)
if ARGV[7] ~= '' then
  head = head .. ' ' .. ARGV[7]
end
redis.call(sharded and 'SPUBLISH' or 'PUBLISH', live, head .. '\n' .. table.concat(fresh, '\n'))
return #fresh
