package redisconfig

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/viper"
)

// maxFileSize is far above any configuration: more is another kind of file.
const maxFileSize = 1 << 20

// addFile adds the file of WithFile or of the variable, if there is one.
func (l *loader) addFile(o options, env map[string]string) {
	path, at, prefix := o.file, place{source: o.file}, ""
	if path == "" {
		variable := configVariable(o.prefix)
		path = env[variable]
		at, prefix = place{key: variable, source: environment}, oneLine(path)+": "
	}
	if path == "" {
		return
	}
	l.file = path
	content, problem, err := readConfigFile(path)
	if problem == "" {
		problem = l.addSections(path, content)
	}
	if problem != "" {
		l.partial = true
		l.report(&SettingError{Key: at.key, Source: at.source, Problem: prefix + problem, Cause: err})
	}
}

// readConfigFile gives the file's content, or the problem and its cause. Keys
// keep their case, and the parser's own words are not passed on.
func readConfigFile(path string) (content map[string]any, problem string, cause error) {
	format := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
	if !slices.Contains([]string{"yaml", "yml", "toml", "json"}, format) {
		return nil, "unknown format, want a name that ends in .yaml, .yml, .toml or .json", nil
	}
	data, problem, cause := readLimited(path, maxFileSize)
	if problem != "" {
		return nil, problem, cause
	}
	decoder, err := viper.NewCodecRegistry().Decoder(format)
	if err != nil {
		return nil, "unknown format", err
	}
	content = map[string]any{}
	if err := decoder.Decode(data, content); err != nil {
		return nil, parseProblem(format, data, err), nil
	}
	if twice := duplicateJSONKey(format, data); twice != "" {
		return nil, fmt.Sprintf("%s is given twice", oneLine(twice)), nil
	}
	return content, "", nil
}

// readLimited reads a whole file of at most limit bytes.
func readLimited(path string, limit int64) (data []byte, problem string, cause error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, reason(err), err
	}
	defer func() { _ = file.Close() }()
	data, err = io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, reason(err), err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Sprintf("larger than %d KiB", limit>>10), nil
	}
	return data, "", nil
}

// reason is the system's word without the path, which is named anyway.
func reason(err error) string {
	if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}

// addSections adds what is below the key redis. Without it the file is the
// wrong one.
func (l *loader) addSections(path string, content map[string]any) (problem string) {
	src := source{name: path, spell: fullName}
	l.refuseDotted(path, content)
	value, found := content[section]
	if !found {
		if other := sameFolded(content, section); other != "" {
			return fmt.Sprintf("no key %s; %s is not it, keys are lower case", section, other)
		}
		return fmt.Sprintf("no key %s, below which the settings belong", section)
	}
	in, ok := value.(map[string]any)
	if !ok && value != nil { // an empty section is one whose lines are all comments
		l.partial = true
		l.refuse(place{key: section, source: path}, "got %s, want a section with text keys such as addr", shape(value, true))
		return ""
	}
	raw := map[string]any{}
	l.flatten(src, "", in, raw)
	l.addSource(src, raw)
	return ""
}

// refuseDotted refuses redis.pool_size at the top of the file, where it would
// otherwise be one of the keys left alone.
func (l *loader) refuseDotted(path string, content map[string]any) {
	for _, top := range slices.Sorted(maps.Keys(content)) {
		name, ok := strings.CutPrefix(top, section+".")
		if _, known := keyByName[name]; ok && known {
			l.breaks(name)
			l.refuse(place{key: top, source: path}, "a dotted key; write it below the key %s", section)
		}
	}
}

func sameFolded(content map[string]any, name string) string {
	for _, other := range slices.Sorted(maps.Keys(content)) {
		if strings.EqualFold(other, name) {
			return other
		}
	}
	return ""
}
