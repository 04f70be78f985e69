package redisconfig

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

const defaultHeader = `# Statelink: the connection to Redis. Every key with its default; keys without
# a default are commented out. Each can be overridden by the environment
# variable named with it.
` + section + `:
`

// Default is the text that [WriteDefaultYAML] writes.
func Default() string {
	var b strings.Builder
	b.WriteString(defaultHeader)
	opened := ""
	for i, k := range keyTable {
		indent, last := "  ", k.name
		if parent, child, nested := strings.Cut(k.name, "."); nested {
			if parent != opened {
				fmt.Fprintf(&b, "\n  %s:\n", parent)
			} else {
				b.WriteString("\n")
			}
			opened, indent, last = parent, "    ", child
		} else if i > 0 {
			b.WriteString("\n")
		}
		k.writeYAML(&b, indent, last)
	}
	return b.String()
}

// WriteDefaultYAML writes a commented YAML file with every key and its
// default, which [LoadRedisConfig] accepts as it is. The error is w's.
func WriteDefaultYAML(w io.Writer) error {
	_, err := io.WriteString(w, Default())
	return err
}

func (k key) writeYAML(b *strings.Builder, indent, last string) {
	const width = 90
	for _, line := range wrap(keyDocs[k.name], width) {
		fmt.Fprintf(b, "%s# %s\n", indent, line)
	}
	fmt.Fprintf(b, "%s# %s\n", indent, envName(DefaultPrefix, k.name))
	comment := ""
	if isUnset(k.def) || k.kind == kindList {
		comment = "# "
	}
	fmt.Fprintf(b, "%s%s%s: %s\n", indent, comment, last, k.yaml())
}

func (k key) yaml() string {
	switch {
	case k.kind == kindList:
		return "[]"
	case k.text() == "":
		return strconv.Quote("")
	default:
		return k.text()
	}
}

// wrap breaks a text at spaces into lines of at most width bytes.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
