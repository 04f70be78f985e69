package redismanager

import (
	"encoding"
	"fmt"
	"time"
)

// checkArgs refuses a value that cannot be sent. go-redis would find it only
// while it writes the command, which breaks the connection and looks like a
// lost reply.
func checkArgs(args []any) error {
	for i, arg := range args {
		if !isSendable(arg) {
			return &FieldError{
				Field: fmt.Sprintf("args[%d]", i), Got: fmt.Sprintf("%T", arg),
				Want: "a string, []byte, number, bool, time.Time, time.Duration or encoding.BinaryMarshaler",
			}
		}
	}
	return nil
}

func isSendable(arg any) bool {
	switch arg.(type) {
	case string, []byte, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64,
		float32, float64, time.Time, time.Duration, encoding.BinaryMarshaler:
		return true
	default:
		return false
	}
}
