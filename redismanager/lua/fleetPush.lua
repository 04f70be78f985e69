#!lua
-- Makes a body the version in force of a script, for all processes of a fleet.
--
-- KEYS[1] registry    hash: revision -> <changes>-<unix ms>;
--                     script:<name> -> <in force> <highest> <earlier ones, oldest first, with commas, or ->
-- KEYS[2] versions    hash: <name>@<version> -> <sha1> <idempotent, 0 or 1> <unix ms> <by>
-- KEYS[3] bodies      hash: <name>@<version> -> source
-- ARGV[1] name        of the script
-- ARGV[2] source      the new body
-- ARGV[3] sha         SHA1 of the source
-- ARGV[4] idempotent  1 = may be sent again after a lost reply, else 0
-- ARGV[5] by          who pushes, free text without line breaks
-- ARGV[6] expected    version that must be in force; 0 = any
-- ARGV[7] keep        how many versions before the new one keep their bodies
--
-- Returns {outcome, version in force, version before}; outcome: pushed, unchanged (this body is in force),
-- unexpected (another version is), malformed (the stored record is not ours). Version 1 is each
-- process's own body and has none here.

local registry, versions, bodies = KEYS[1], KEYS[2], KEYS[3]
local name, source, sha, idempotent, by, expected, keep = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])

local record = redis.call('HGET', registry, 'script:' .. name) or '1 1 -'
local current, highest, path = string.match(record, '^(%d+) (%d+) ([-%d,]+)$')
if not current then
  return {'malformed', '0', '0'}
end

local about = redis.call('HGET', versions, name .. '@' .. current)
local this = sha .. ' ' .. idempotent .. ' '
if about and string.sub(about, 1, #this) == this then
  return {'unchanged', current, current}
end
if expected ~= '0' and expected ~= current then
  return {'unexpected', current, current}
end

local version = tonumber(highest) + 1
local dropped = version - keep - 1
local earlier = {}
for one in string.gmatch(path .. ',' .. current, '%d+') do
  if one == '1' or tonumber(one) > dropped then
    earlier[#earlier + 1] = one
  end
end

local changes = string.match(redis.call('HGET', registry, 'revision') or '', '^(%d+)-') or 0
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local field = name .. '@' .. version
redis.call('HEXISTS', bodies, field) -- fails on a key of another type, before anything is written

redis.call('HSET', bodies, field, source)
redis.call('HSET', versions, field, this .. now .. ' ' .. by)
if dropped > 1 then
  redis.call('HDEL', bodies, name .. '@' .. dropped)
  redis.call('HDEL', versions, name .. '@' .. dropped)
end
redis.call('HSET', registry, 'script:' .. name, version .. ' ' .. version .. ' ' .. table.concat(earlier, ','),
  'revision', (changes + 1) .. '-' .. now)

return {'pushed', tostring(version), current}
