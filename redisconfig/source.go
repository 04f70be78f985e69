package redisconfig

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// source is one origin of settings: a file, the environment, the overrides.
type source struct {
	name  string                   // for errors: a path, "the environment"
	spell func(name string) string // pool_size as the source writes it
	texts bool                     // values are texts, to be parsed
}

func (s source) place(name string) place { return place{key: s.spell(name), source: s.name} }

// fullName is how files and overrides spell a key.
func fullName(name string) string { return section + "." + name }

// addSource reads the raw values of one source, all of known keys, and lays them
// over the settings so far.
func (l *loader) addSource(src source, raw map[string]any) {
	own := layer{}
	for _, k := range keyTable {
		value, given := raw[k.name]
		if given && (!src.texts || value != "") {
			l.readInto(own, k, value, src.texts, src.place(k.name))
		}
	}
	replaced := l.expandURL(own)
	l.refusePasswordTwice(own)
	l.settings.merge(own, replaced)
}

// readInto puts a value into own, or says why it cannot.
func (p *problems) readInto(own layer, k key, raw any, asText bool, at place) {
	value, ok := k.convert(raw, asText)
	if !ok {
		p.breaks(k.name)
		p.refuse(at, "got %s, want %s", shape(raw, k.secret), k.wants(asText))
		return
	}
	if isUnset(value) {
		return
	}
	if value, ok = k.zero(value); !ok {
		p.breaks(k.name)
		p.refuse(at, "got 0, want it left out for the default (%s) or another value", k.text())
		return
	}
	if isAddress(k.name) && holdsURL(value) {
		p.breaks(k.name)
		p.refuse(at, "got an address with a scheme or credentials, want host:port; a URL belongs into %s", fullName("url"))
		return
	}
	own[k.name] = setting{value: value, at: at}
}

// convert parses texts where the source has only texts.
func (k key) convert(raw any, asText bool) (any, bool) {
	if text, isText := raw.(string); isText && asText {
		return k.fromText(text)
	}
	return k.fromValue(raw)
}

func isAddress(name string) bool { return name == "addr" || name == "addrs" }

// holdsURL finds addresses that are URLs. They are refused here and not by
// RedisConfig.Validate, which would print them with the password in them.
func holdsURL(value any) bool {
	return strings.ContainsAny(fmt.Sprint(value), "@/")
}

// refusePasswordTwice refuses a password beside the file that holds it.
func (l *loader) refusePasswordTwice(own layer) {
	for _, name := range []string{"password", "sentinel_password"} {
		inline, a := own[name]
		file, b := own[name+"_file"]
		if a && b {
			l.breaks(name)
			l.refuse(file.at, "conflicts with %s of the same source; keep one", inline.at.key)
			own.drop([]string{name + "_file"})
		}
	}
}

// expandURL replaces the setting url by what the URL says. It returns the
// names whose weaker settings the URL replaces.
func (l *loader) expandURL(own layer) (replaced []string) {
	s, given := own["url"]
	if !given {
		return nil
	}
	delete(own, "url")
	text, _ := s.value.(string)
	u := &urlParser{problems: &l.problems, at: s.at, out: layer{}}
	u.parse(text)
	for _, name := range slices.Sorted(maps.Keys(own)) {
		other := own[name]
		said, both := u.out[name]
		if isAddress(name) || both && !reflect.DeepEqual(said.value, other.value) {
			l.breaks(name)
			l.refuse(other.at, "conflicts with %s of the same source; keep one", s.at.key)
			delete(own, name)
		}
	}
	for name, said := range u.out {
		own[name] = said
	}
	return u.replaced
}

// flatten writes the keys of a section, and of its subsections, into out by
// their dotted names.
func (l *loader) flatten(src source, prefix string, in, out map[string]any) {
	for _, last := range slices.Sorted(maps.Keys(in)) {
		name, value := prefix+last, in[last]
		_, known := keyByName[name]
		_, twice := out[name]
		switch {
		case subsections[name]:
			l.flattenSubsection(src, name, value, out)
		case !known:
			l.refuseUnknown(src, name, value)
		case twice:
			l.refuse(src.place(name), "given twice")
		default:
			out[name] = value
		}
	}
}

// flattenSubsection takes nothing for an empty section: all its lines may be
// comments.
func (l *loader) flattenSubsection(src source, name string, value any, out map[string]any) {
	if value == nil {
		return
	}
	in, ok := value.(map[string]any)
	if !ok {
		l.breaks(name + ".enabled")
		l.refuse(src.place(name), "got %s, want a section with text keys such as enabled", shape(value, false))
		return
	}
	l.flatten(src, name+".", in, out)
}

// refuseUnknown does not print a key without a value: in YAML it may be the
// part of a password behind a comma, as in {password: abc,def}.
func (l *loader) refuseUnknown(src source, name string, value any) {
	at := src.place(name)
	if value == nil {
		at = src.place("?")
	}
	near := suggest(name)
	if near == "" {
		l.refuse(at, "unknown key")
		return
	}
	l.breaks(near)
	l.refuse(at, "unknown key, did you mean %s?", src.spell(near))
}
