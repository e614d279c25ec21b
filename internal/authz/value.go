package authz

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Bounds of what a member expression gives, far above any app's limit.
const (
	maxMemberDepth  = 16
	maxMemberValues = 10_000
)

// memberJSON turns what a member expression gave into the JSON of an object.
func memberJSON(v ref.Val) (json.RawMessage, error) {
	if _, ok := v.(traits.Mapper); !ok {
		return nil, fmt.Errorf("gives a value of type %s and must give a map", v.Type().TypeName())
	}
	left := maxMemberValues
	native, err := toNative(v, maxMemberDepth, &left)
	if err != nil {
		return nil, err
	}
	return encode(native)
}

// encode writes JSON as it is usual on the wire: <, > and & stand for themselves.
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// toNative turns a CEL value into what encoding/json writes.
func toNative(v ref.Val, depth int, left *int) (any, error) {
	if *left--; *left < 0 || depth == 0 {
		return nil, errors.New("gives too large a value")
	}
	switch v := v.(type) {
	case types.String:
		return string(v), nil
	case types.Bool:
		return bool(v), nil
	case types.Int:
		return int64(v), nil
	case types.Uint:
		return uint64(v), nil
	case types.Double:
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, errors.New("gives a number that JSON has no form for")
		}
		return float64(v), nil
	case types.Null:
		return nil, nil
	case types.Bytes:
		return base64.StdEncoding.EncodeToString(v), nil
	case types.Timestamp:
		return v.UTC(), nil
	case types.Duration:
		return v.Duration.String(), nil
	case *types.Err:
		return nil, v
	case traits.Mapper:
		return mapToNative(v, depth, left)
	case traits.Lister:
		list := []any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			item, err := toNative(it.Next(), depth-1, left)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		return list, nil
	}
	return nil, fmt.Errorf("gives a value of type %s, which JSON has no form for", v.Type().TypeName())
}

func mapToNative(m traits.Mapper, depth int, left *int) (any, error) {
	object := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, fmt.Errorf("gives a map with a key of type %s; keys must be texts", key.Type().TypeName())
		}
		value, err := toNative(m.Get(key), depth-1, left)
		if err != nil {
			return nil, err
		}
		object[string(name)] = value
	}
	return object, nil
}
