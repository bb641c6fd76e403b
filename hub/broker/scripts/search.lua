-- Looks for an id in the publications of a journal, or of dead letters: in some of them at a time.
--
-- KEYS  1 stream
-- ARGV  1 id, in lower case  2 first entry to look at  3 last one  4 bytes to look at, about
-- Returns {the last entry that was looked at, '' when none is left; bytes looked at; the entries
-- that have the id anywhere in their publication}.
local from, left, looked, found = ARGV[2], tonumber(ARGV[4]), 0, {}
while true do
  local entries = redis.call('XRANGE', KEYS[1], from, ARGV[3], 'COUNT', 10)
  if #entries == 0 then
    return {'', looked, found}
  end
  for _, entry in ipairs(entries) do
    left = left - 100
    for index = 1, #entry[2], 2 do
      if entry[2][index] == 'p' then
        local publication = entry[2][index + 1]
        looked, left = looked + #publication, left - #publication
        if string.find(string.lower(publication), ARGV[1], 1, true) then
          found[#found + 1] = entry
        end
      end
    end
  end
  local last = entries[#entries][1]
  if left <= 0 then
    return {last, looked, found}
  end
  from = '(' .. last
end
