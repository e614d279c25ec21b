package asynqqueue

import (
	"encoding/binary"
	"errors"
)

var errMessage = errors.New("the task is not as asynq writes it")

// field gives the last field of the given number in a protocol buffer; the
// field must be one with a length, as strings and bytes are.
func field(message []byte, number uint64) (value []byte, err error) {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 {
			return nil, errMessage
		}
		message = message[n:]
		size := 0
		switch tag & 7 {
		case 0: // a number
			if _, size = binary.Uvarint(message); size <= 0 {
				return nil, errMessage
			}
		case 1:
			size = 8
		case 5:
			size = 4
		case 2: // bytes
			length, n := binary.Uvarint(message)
			if n <= 0 || length > uint64(len(message)-n) {
				return nil, errMessage
			}
			message, size = message[n:], int(length)
			if tag>>3 == number {
				value = message[:size]
			}
		default:
			return nil, errMessage
		}
		if size > len(message) {
			return nil, errMessage
		}
		message = message[size:]
	}
	return value, nil
}
