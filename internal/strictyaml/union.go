package strictyaml

import "reflect"

// Union is an interface type and the types that a document may store in it. In the document it is a
// mapping with one key, which selects the type:
//
//   - file: {path: /etc/motd, content: hello}
type Union struct {
	of    reflect.Type
	kinds map[string]reflect.Type
}

// OneOf returns the Union of T whose keys select the types of the given values; the values
// themselves do not matter. A decoded value has exactly the type of the value for its key, pointer
// or not.
func OneOf[T any](kinds map[string]T) Union {
	u := Union{reflect.TypeFor[T](), make(map[string]reflect.Type, len(kinds))}
	for k, v := range kinds {
		u.kinds[k] = reflect.TypeOf(v)
	}
	return u
}
