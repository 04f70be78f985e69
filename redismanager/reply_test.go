package redismanager

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func TestDecodeReply(t *testing.T) {
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	for raw, want := range map[string]any{
		"+OK\r\n":                             "OK",
		"$5\r\na\r\nbc\r\n":                   "a\r\nbc",
		"$0\r\n\r\n":                          "",
		"$-1\r\n":                             nil,
		"*-1\r\n":                             nil,
		"_\r\n":                               nil,
		":-7\r\n":                             int64(-7),
		"#t\r\n":                              true,
		",1.5\r\n":                            1.5,
		"(123456789012345678901234567890\r\n": huge,
		"=7\r\ntxt:abc\r\n":                   "abc",
		"*0\r\n":                              []any{},
		"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n":       []any{int64(1), []any{"x"}},
		"~1\r\n:1\r\n":                        []any{int64(1)},
		"%1\r\n+a\r\n:1\r\n":                  map[any]any{"a": int64(1)},
		"|1\r\n+ttl\r\n:3\r\n$1\r\nx\r\n":     "x",
		"*2\r\n-NOPERM no\r\n!5\r\nERR x\r\n": []any{replyText(redis.Nil, "NOPERM no"), replyText(redis.Nil, "ERR x")},
	} {
		value, err := decodeReply([]byte(raw))
		require.NoError(t, err, "%q", raw)
		require.Equal(t, want, value, "%q", raw)
	}
	_, err := decodeReply([]byte("-NOSCRIPT No matching script. Please use EVAL.\r\n"))
	require.True(t, isNoScript(err))
}

func TestDecodeReplyThatIsNone(t *testing.T) {
	for _, raw := range []string{
		"", "+OK", "+OK\r\n+OK\r\n", ":x\r\n", "$9\r\nabc\r\n", "$3\r\nabcd\r\n", "*2\r\n:1\r\n", "*999999999\r\n", "$-2\r\n", "?\r\n", "\r\n",
		"#x\r\n", ",x\r\n", "(x\r\n", "=2\r\nab\r\n", "%1\r\n*0\r\n:1\r\n", strings.Repeat("*1\r\n", maxReplyDepth+2) + ":1\r\n",
	} {
		_, err := decodeReply([]byte(raw))
		require.ErrorIs(t, err, ErrMalformedData, "%q", raw)
	}
}

// Whatever comes, it is decoded or refused; what was decoded is read again the
// same.
func FuzzDecodeReply(f *testing.F) {
	for _, seed := range []string{"+OK\r\n", "*2\r\n$1\r\na\r\n-ERR x\r\n", "%1\r\n+a\r\n,1.5\r\n", "|1\r\n+a\r\n:1\r\n_\r\n", "=7\r\ntxt:abc\r\n", "(12\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		value, err := decodeReply(raw)
		again, errAgain := decodeReply(raw)
		require.Equal(t, fmt.Sprint(value, err), fmt.Sprint(again, errAgain))
		if err == nil {
			wrapped, err := decodeReply([]byte(fmt.Sprintf("*1\r\n%s", raw)))
			if len(raw) >= 3 && err == nil {
				require.Equal(t, fmt.Sprint([]any{value}), fmt.Sprint(wrapped))
			}
		}
	})
}
