package redisconfig

import (
	"slices"
	"strings"
)

// otherNames are what the settings are called elsewhere.
var otherNames = map[string]string{
	"host": "addr", "hostname": "addr", "port": "addr", "address": "addr", "endpoint": "addr", "server": "addr",
	"hosts": "addrs", "addresses": "addrs", "endpoints": "addrs", "nodes": "addrs", "sentinels": "addrs",
	"user": "username", "pass": "password", "auth": "password", "database": "db",
	"master": "master_name", "mastername": "master_name", "masterset": "master_name", "uri": "url",
	"ssl": "tls.enabled", "tls": "tls.enabled", "cafile": "tls.ca_file", "tlscafile": "tls.ca_file",
	"timeout": "read_timeout", "maxactive": "pool_size", "maxopenconns": "pool_size", "maxidle": "max_idle_conns",
}

// suggest finds the key that name was meant to be, or "".
func suggest(name string) string {
	const longest = 64 // longer names are no typing mistakes
	plain := plainName(name)
	if plain == "" || len(plain) > longest {
		return ""
	}
	if other, ok := otherNames[plain]; ok {
		return other
	}
	best, bestDistance := "", 3
	for _, k := range keyTable {
		candidate := plainName(k.name)
		if d := editDistance(plain, candidate); d < bestDistance && d*3 <= len(candidate) {
			best, bestDistance = k.name, d
		}
	}
	return best
}

// plainName makes poolSize, pool-size and POOL_SIZE the same.
func plainName(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(name))
}

// editDistance counts the letters to insert, delete or replace.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = slices.Min([]int{change, row[j] + 1, row[j+1] + 1})
		}
	}
	return row[len(b)]
}
