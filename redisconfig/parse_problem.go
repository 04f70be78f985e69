package redisconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// parserPhrases are what the parsers of YAML and TOML say without a word of
// the file in it.
var parserPhrases = []string{
	"mapping values are not allowed in this context",
	"mapping keys are not allowed in this context",
	"found character that cannot start any token",
	"found a tab character that violates indentation",
	"found a tab character where an indentation space is expected",
	"found unexpected end of stream",
	"found unknown escape character",
	"found unexpected document indicator",
	"could not find expected ':'",
	"did not find expected key",
	"did not find expected node content",
	"did not find expected '-' indicator",
	"did not find expected ',' or '}'",
	"did not find expected ',' or ']'",
	"did not find expected alphabetic or numeric character",
	keyTwice,
}

// keyTwice is a part of what both say of a key given twice.
const keyTwice = "already defined"

var yamlLine = regexp.MustCompile(`line ([0-9]+)`)

// parseProblem tells where a file is malformed. The parser's message is not
// passed on, since it may quote the file: only fixed phrases are.
func parseProblem(format string, data []byte, err error) string {
	if format == "yml" {
		format = "yaml"
	}
	problem := "not valid " + strings.ToUpper(format)
	if line := errorLine(data, err); line > 0 {
		problem += fmt.Sprintf(", near line %d", line)
	}
	for _, phrase := range parserPhrases {
		if strings.Contains(err.Error(), phrase) {
			return problem + ": " + strings.Replace(phrase, keyTwice, "a key is given twice", 1)
		}
	}
	return problem
}

// errorLine is the line of a parser's error, 0 if it does not say.
func errorLine(data []byte, err error) int {
	var position interface{ Position() (row, column int) } // TOML
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &position):
		row, _ := position.Position()
		return row
	case errors.As(err, &syntax):
		end := min(max(int(syntax.Offset), 0), len(data))
		return 1 + bytes.Count(data[:end], []byte("\n"))
	}
	if match := yamlLine.FindStringSubmatch(err.Error()); match != nil {
		line, _ := strconv.Atoi(match[1])
		return line
	}
	return 0
}

// duplicateJSONKey finds a key that is twice in the section, of which the JSON
// decoder would take the last in silence. YAML and TOML refuse it themselves.
func duplicateJSONKey(format string, data []byte) string {
	if format != "json" {
		return ""
	}
	return findDuplicate(json.NewDecoder(bytes.NewReader(data)), "")
}

// findDuplicate reads one value, which is well formed, and names its first
// key given twice, if that is the section or in it.
func findDuplicate(dec *json.Decoder, path string) (twice string) {
	token, err := dec.Token()
	if delim, ok := token.(json.Delim); err != nil || !ok || delim == '}' || delim == ']' {
		return ""
	}
	seen := map[string]bool{}
	for dec.More() {
		name := path
		if token == json.Delim('{') {
			name = childName(dec, path)
			if twice == "" && seen[name] && (name == section || strings.HasPrefix(name, section+".")) {
				twice = name
			}
			seen[name] = true
		}
		if found := findDuplicate(dec, name); twice == "" {
			twice = found
		}
	}
	_, _ = dec.Token() // the closing bracket
	return twice
}

func childName(dec *json.Decoder, path string) string {
	token, _ := dec.Token()
	name, _ := token.(string)
	if path == "" {
		return name
	}
	return path + "." + name
}
