package asynqqueue

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"

	"github.com/belfryhq/belfry"
)

// A task's message is a protocol buffer of asynq, which keeps its code for it to
// itself. Of its fields we set these; the others are zero, as asynq leaves them.
const (
	fieldType    = 1 // string
	fieldPayload = 2 // bytes
	fieldID      = 3 // string
	fieldQueue   = 4 // string
	fieldTimeout = 8 // seconds; asynq wants one
)

var errMessage = errors.New("the task is not as asynq writes it")

// encode gives a task's message.
func encode(kind string, payload []byte, id, name string) []byte {
	message := make([]byte, 0, len(kind)+len(payload)+len(id)+len(name)+24)
	for _, f := range []struct {
		number byte
		value  string
	}{{fieldType, cmp.Or(kind, "job")}, {fieldPayload, string(payload)}, {fieldID, id}, {fieldQueue, name}} {
		message = append(message, f.number<<3|2)
		message = binary.AppendUvarint(message, uint64(len(f.value)))
		message = append(message, f.value...)
	}
	message = append(message, fieldTimeout<<3)
	return binary.AppendUvarint(message, 1800)
}

// decode finds the job in a task's message.
func decode(message []byte) (job belfry.Job, err error) {
	payload, err := field(message, fieldPayload)
	if err != nil {
		return job, err
	}
	return job, json.Unmarshal(payload, &job)
}

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
