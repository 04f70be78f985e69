package redisconfig

import (
	"crypto/sha256"
	"maps"
	"reflect"

	"github.com/statelink/statelink/redismanager"
)

// reading is what all sources said at one moment.
type reading struct {
	config *redismanager.RedisConfig // nil if err is set
	err    error
	tls    map[string]digest // of the TLS files' contents, by key
	file   string            // the configuration file
	files  []string          // it and those that the settings name
}

type digest [sha256.Size]byte

// maxTLSFileSize leaves room for the largest bundles of authorities.
const maxTLSFileSize = 4 << 20

// read loads as LoadRedisConfig does, and the TLS files as well: one that
// cannot be read is refused here, not first by who connects with it.
func read(o options) reading {
	l := gather(o)
	if l.file == "" {
		l.report(noFile(o))
	}
	r := reading{tls: l.digestTLS(), file: l.file, files: append([]string{l.file}, l.others...)}
	r.config, r.err = l.finish()
	return r
}

func noFile(o options) *SettingError {
	problem := "no file to follow"
	if !o.noEnv {
		problem += ": neither this option nor the variable " + configVariable(o.prefix) + " names one"
	}
	return &SettingError{Key: "WithFile", Problem: problem}
}

// digestTLS reads the files of tls.ca_file and its kind.
func (l *loader) digestTLS() map[string]digest {
	found := map[string]digest{}
	for _, name := range []string{"tls.ca_file", "tls.cert_file", "tls.key_file"} {
		s, given := l.settings[name]
		if !given {
			continue
		}
		path, _ := s.value.(string)
		l.others = append(l.others, path)
		data, problem, cause := readLimited(path, maxTLSFileSize)
		if problem != "" {
			l.report(&SettingError{Key: s.at.key, Source: s.at.source, Problem: oneLine(path) + ": " + problem, Cause: cause})
			continue
		}
		found[name] = sha256.Sum256(data)
	}
	return found
}

// same reports whether both lead to the same connections, or to the same error.
func (r reading) same(other reading) bool {
	if r.err != nil || other.err != nil {
		return r.err != nil && other.err != nil && r.err.Error() == other.err.Error()
	}
	return reflect.DeepEqual(r.config, other.config) && maps.Equal(r.tls, other.tls)
}

// changes names the settings in which two valid readings differ.
func (r reading) changes(old reading) []string {
	before := readKeys("", reflect.ValueOf(*old.config))
	var names []string
	for i, k := range readKeys("", reflect.ValueOf(*r.config)) {
		if !reflect.DeepEqual(k.def, before[i].def) || r.tls[k.name] != old.tls[k.name] {
			names = append(names, fullName(k.name))
		}
	}
	return names
}

// copyConfig is for callers, who may change what they get.
func (r reading) copyConfig() *redismanager.RedisConfig {
	c := r.config.WithDefaults()
	return &c
}
