// Package strictyaml reads configuration strictly: everything in a document is either where it
// belongs and of the right type, or a [lab.Problem] that gives file, line, column, path and the
// nearest valid key. All problems are reported together.
//
//	d, err := strictyaml.Parse("lab.yaml", data)  // syntax
//	err = d.Decode(&config)                       // types
//	err = d.Locate(config.Validate())             // meaning: gives the caller's own problems their lines
//
// [Schema] returns a JSON schema of the same documents for editors, and [Reference] answers from it what may be written at
// a path, with the comments of the Go types.
//
// # YAML
//
// One document in UTF-8, of at most [MaxSize] bytes. Keys are strings of at most 256 bytes, without
// duplicates. Anchors and aliases are allowed as long as the document has at most 100 000 values
// and 64 levels with aliases expanded. Merge keys (<<) and tags (!!int, !vault) are not supported.
//
// # Structs
//
// A field is decoded if it has a tag `yaml:"name"`. Options follow the name:
//
//	yaml:"name,required"  the key must be present
//	yaml:"name,secret"    problems do not repeat the text of this field
//	yaml:",inline"        the fields of this struct belong to the mapping of the struct around it
//	yaml:",key"           in the elements of a slice: the slice is a mapping in the document, and this string field
//	                      holds the key of each element. This preserves the order of a mapping
//	default:"22"          the meaning of a missing key, for the schema only: no value is set
//
// Fields whose keys are not in the document are not changed.
//
// # Values
//
//	string           quoted text, or plain text that is not a number, true, false or null, which must be quoted.
//	                 no, on and 2026-01-02 are text
//	bool             true or false; yes and on are refused
//	integers         decimal digits with a sign, within the type's range; 0644, 0x1f and 1_000 are refused
//	floats           finite numbers
//	time.Duration    30s, 1h30m
//	fs.FileMode      octal digits with a leading zero, quoted or not: 0644, "01777"
//	TextUnmarshaler  the text as written, quoted or not
//	any              what the value looks like: nil, bool, int, float64, string, []any, map[string]any. 0644, yes, no,
//	                 on and off, which YAML 1.1 and 1.2 read differently, must be quoted
//	pointer          nil for null
//	slice, map       a list, a mapping with string keys; empty for null
//	interface        a mapping with one key, which selects the type: see [Union]
//
// A string type with a method Values() []string accepts only these values.
//
// # Secrets
//
// A problem repeats the offending text, except in fields of type [lab.Secret] or [lab.SecretRef],
// in fields with the option secret, in the place of a list or mapping that has such fields, and in
// free values (any).
package strictyaml
