package redisconfig

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// forever is how RedisConfig writes "never" and "no limit" in a duration.
const forever = time.Duration(-1)

// fromText reads a value of the environment, of a URL or of a flag.
func (k key) fromText(text string) (any, bool) {
	switch k.kind {
	case kindInt:
		n, err := strconv.Atoi(text)
		return n, err == nil
	case kindBool:
		return text == "true", text == "true" || text == "false"
	case kindDuration:
		return parseDuration(text)
	case kindList:
		return splitList(text)
	default:
		return text, true
	}
}

// fromValue reads a value of a file, which has a type of its own. Nothing is
// converted: "10" is no number and 10 no text.
func (k key) fromValue(value any) (any, bool) {
	switch k.kind {
	case kindText:
		return asText(value)
	case kindInt:
		return asInt(value)
	case kindBool:
		b, ok := value.(bool)
		return b, ok
	case kindDuration:
		return asDuration(value)
	default:
		return asList(value)
	}
}

// asText takes string types as well, such as redismanager.Mode.
func asText(value any) (string, bool) {
	v := reflect.ValueOf(value)
	if v.Kind() != reflect.String {
		return "", false
	}
	return v.String(), true
}

// asInt takes whole numbers of every type: JSON has only floats.
func asInt(value any) (int, bool) {
	if _, isDuration := value.(time.Duration); isDuration {
		return 0, false
	}
	switch v := reflect.ValueOf(value); {
	case v.CanInt():
		n := int(v.Int())
		return n, int64(n) == v.Int()
	case v.CanUint():
		return int(v.Uint()), v.Uint() <= math.MaxInt
	case v.CanFloat():
		f := v.Float()
		return int(f), f == math.Trunc(f) && math.Abs(f) < 1<<53 // above, floats skip whole numbers
	default:
		return 0, false
	}
}

// asDuration takes a number only where it needs no unit: 0 and -1.
func asDuration(value any) (time.Duration, bool) {
	if d, ok := value.(time.Duration); ok {
		return d, true
	}
	if text, ok := value.(string); ok {
		return parseDuration(text)
	}
	n, ok := asInt(value)
	return time.Duration(n), ok && (n == 0 || n == -1)
}

func parseDuration(text string) (time.Duration, bool) {
	if text == "-1" {
		return forever, true
	}
	d, err := time.ParseDuration(text)
	return d, err == nil
}

func asList(value any) ([]string, bool) {
	if texts, ok := value.([]string); ok {
		return append([]string(nil), texts...), !hasBlank(texts)
	}
	items, ok := value.([]any)
	if !ok {
		return nil, false
	}
	texts := make([]string, len(items))
	for i, item := range items {
		if texts[i], ok = item.(string); !ok {
			return nil, false
		}
	}
	return texts, !hasBlank(texts)
}

func splitList(text string) ([]string, bool) {
	texts := strings.Split(text, ",")
	for i := range texts {
		texts[i] = strings.TrimSpace(texts[i])
	}
	return texts, !hasBlank(texts)
}

func hasBlank(texts []string) bool {
	for _, text := range texts {
		if strings.TrimSpace(text) == "" {
			return true
		}
	}
	return false
}

// isUnset tells an empty text or list, which is the same as no value.
func isUnset(value any) bool {
	if texts, ok := value.([]string); ok {
		return len(texts) == 0
	}
	return value == ""
}

// zero judges an explicit 0. RedisConfig takes 0 for "the default", which
// nobody means who writes it: it becomes -1 where that means none, and is
// refused elsewhere unless 0 is the default.
func (k key) zero(value any) (any, bool) {
	if (value != 0 && value != time.Duration(0)) || reflect.DeepEqual(k.def, value) {
		return value, true
	}
	if k.name == "max_retries" || k.name == "min_idle_conns" {
		return -1, true
	}
	return nil, false
}

// wants says what would be right, in the words of the source.
func (k key) wants(asText bool) string {
	switch k.kind {
	case kindInt:
		return "a whole number such as " + k.text()
	case kindBool:
		return "true or false"
	case kindDuration:
		return "a duration with its unit (ms, s, m, h) such as 3s"
	case kindList:
		if asText {
			return "texts separated by commas, none of them empty"
		}
		return "a list of texts, none of them empty"
	default:
		if asText {
			return "a text"
		}
		return "a text in quotes"
	}
}

// shape describes a refused value. It shows short plain values only, and of a
// secret nothing but its type.
func shape(value any, secret bool) string {
	v := reflect.ValueOf(value)
	switch {
	case value == nil:
		return "no value"
	case v.Kind() == reflect.String:
		if secret {
			return "a text"
		}
		return quoted(v.String())
	case v.Kind() == reflect.Map:
		return "a section"
	case v.Kind() == reflect.Slice:
		return "a list"
	case v.Kind() == reflect.Bool && !secret:
		return strconv.FormatBool(v.Bool())
	case v.Kind() == reflect.Bool:
		return "true or false"
	default:
		return number(v, secret)
	}
}

func number(v reflect.Value, secret bool) string {
	switch {
	case !v.CanInt() && !v.CanUint() && !v.CanFloat():
		return "a value of another type"
	case secret:
		return "a number"
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10)
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10)
	default:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
}

// quoted shows a text unless it is long or may hold a URL with credentials
// that went to the wrong key.
func quoted(text string) string {
	const longest = 40
	if text == "" {
		return "an empty text"
	}
	if len(text) > longest || strings.ContainsAny(text, "@") || strings.Contains(text, "://") {
		return "a text"
	}
	return strconv.Quote(text)
}
