package redismanager

import (
	"encoding"
	"fmt"
	"slices"
	"time"
)

// sendable refuses a value that cannot be sent, and encodes those that encode
// themselves. go-redis would find out only while it writes the command, which
// breaks the connection and looks like a lost reply.
func sendable(args []any) ([]any, error) {
	out := args
	for i, arg := range args {
		switch arg := arg.(type) {
		case string, []byte, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64,
			float32, float64, time.Time, time.Duration:
		case encoding.BinaryMarshaler:
			encoded, err := arg.MarshalBinary()
			if err != nil {
				return nil, fmt.Errorf("%w: args[%d]: encode %T: %w", ErrInvalidArgument, i, arg, err)
			}
			if &out[0] == &args[0] {
				out = slices.Clone(args)
			}
			out[i] = encoded
		default:
			return nil, &FieldError{
				Field: fmt.Sprintf("args[%d]", i), Got: fmt.Sprintf("%T", arg),
				Want: "a string, []byte, number, bool, time.Time, time.Duration or encoding.BinaryMarshaler",
			}
		}
	}
	return out, nil
}
