#!lua
-- Puts an older version of a script into force again, for all processes of a fleet.
--
-- KEYS[1] registry    hash: revision -> <changes>-<unix ms>;
--                     script:<name> -> <in force> <highest> <earlier ones, oldest first, with commas, or ->
-- KEYS[2] versions    hash: <name>@<version> -> <sha1> <idempotent, 0 or 1> <unix ms> <by>
-- ARGV[1] name        of the script
-- ARGV[2] to          version; 0 = the one before the one in force
-- ARGV[3] expected    version that must be in force; 0 = any
--
-- Returns {outcome, version in force, version before}; outcome: rolled_back, unchanged (it is in force),
-- absent (no such version is kept), unexpected (another version is in force), malformed.

local registry, versions = KEYS[1], KEYS[2]
local name, to, expected = ARGV[1], ARGV[2], ARGV[3]

local record = redis.call('HGET', registry, 'script:' .. name) or '1 1 -'
local current, highest, path = string.match(record, '^(%d+) (%d+) ([-%d,]+)$')
if not current then
  return {'malformed', '0', '0'}
end
if expected ~= '0' and expected ~= current then
  return {'unexpected', current, current}
end

local earlier = {}
for one in string.gmatch(path, '%d+') do
  earlier[#earlier + 1] = one
end
if to == '0' then
  to = earlier[#earlier]
end
if to == current then
  return {'unchanged', current, current}
end
if not to or to ~= '1' and redis.call('HEXISTS', versions, name .. '@' .. to) == 0 then
  return {'absent', current, current}
end

-- A version on the way back shortens the way; another one lengthens it.
local way, found = {}, false
for _, one in ipairs(earlier) do
  found = found or one == to
  if not found then
    way[#way + 1] = one
  end
end
if not found then
  way[#way + 1] = current
end
path = #way > 0 and table.concat(way, ',') or '-'

local changes = string.match(redis.call('HGET', registry, 'revision') or '', '^(%d+)-') or 0
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', registry, 'script:' .. name, to .. ' ' .. highest .. ' ' .. path, 'revision', (changes + 1) .. '-' .. now)

return {'rolled_back', to, current}
