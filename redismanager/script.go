package redismanager

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// maxSource is how many bytes a script may have.
const maxSource = 1 << 20

// Script is a Lua script to register.
type Script struct {
	// Name is what [Manager.ExecuteScript] calls it by: a letter or _, then
	// letters, digits, and _ . - (at most 128 bytes).
	Name string
	// Source is the Lua source, at most 1 MiB. A first line "#!lua" makes Redis
	// check the keys' slots, memory and replication state before it starts;
	// "#!lua flags=no-writes" marks a reader.
	Source string
	// Idempotent declares that running the script again after a lost reply
	// changes neither the data nor the answer. Only such scripts, and readers,
	// are sent again by the manager.
	Idempotent bool
}

// ReadOnly reports whether the first line carries the flag no-writes, which
// the server enforces.
func (s Script) ReadOnly() bool {
	first, _, _ := strings.Cut(s.Source, "\n")
	_, flags, found := strings.Cut(first, "flags=")
	if !found || !strings.HasPrefix(first, "#!lua") {
		return false
	}
	return slices.Contains(strings.Split(strings.TrimSpace(flags), ","), "no-writes")
}

func (s Script) validate() error {
	if !isScriptName(s.Name) {
		return &FieldError{Field: "script name", Got: quoteShort(s.Name), Want: "a letter or _, then letters, digits, _ . -, at most 128 bytes"}
	}
	if s.Source == "" || len(s.Source) > maxSource {
		return &FieldError{Field: "script " + s.Name, Got: fmt.Sprintf("%d bytes of source", len(s.Source)), Want: "1 byte to 1 MiB"}
	}
	return nil
}

// isScriptName tells a registered name from Lua source.
func isScriptName(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		other := c == '.' || c == '-' || '0' <= c && c <= '9'
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return true
}

// quoteShort quotes at most the first 40 bytes of what a caller gave.
func quoteShort(s string) string {
	if len(s) > 40 {
		return fmt.Sprintf("%q... (%d bytes)", s[:40], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// ScriptsFromFS reads every .lua file at the top of fsys as a script named
// like the file. Readers are known by their first line; the others are taken
// as not idempotent.
func ScriptsFromFS(fsys fs.FS) ([]Script, error) {
	names, err := fs.Glob(fsys, "*.lua")
	if err != nil {
		return nil, fmt.Errorf("list scripts: %w", err)
	}
	list := make([]Script, 0, len(names))
	for _, name := range names {
		source, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read script: %w", err)
		}
		s := Script{Name: strings.TrimSuffix(path.Base(name), ".lua"), Source: string(source)}
		if err := s.validate(); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// body is a source as one kind of server takes it, with its SHA1.
type body struct{ source, sha string }

func newBody(source string) body {
	sum := sha1.Sum([]byte(source))
	return body{source: source, sha: hex.EncodeToString(sum[:])}
}

// withoutShebang blanks the first line if it is "#!lua": a server that does
// not know it cannot compile it. The lines keep their numbers.
func withoutShebang(source string) string {
	if !strings.HasPrefix(source, "#!") {
		return source
	}
	_, rest, _ := strings.Cut(source, "\n")
	return "--\n" + rest
}
