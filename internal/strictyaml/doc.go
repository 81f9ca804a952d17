// Package strictyaml reads configuration strictly: what a document holds is either in its place and of its type, or a [lab.Problem] that
// gives file, line, column, path and the nearest valid key. All problems come at once.
//
//	d, err := strictyaml.Parse("lab.yaml", data)  // syntax
//	err = d.Decode(&config)                       // shape
//	err = d.Locate(config.Validate())             // meaning: gives the caller's own problems their lines
//
// # YAML
//
// One document in UTF-8, of at most [MaxSize] bytes. Keys are strings of at most 256 bytes, and a key may stand only once in a mapping.
// Anchors and aliases are allowed as long as the document stays below 100 000 values and 64 levels when they are expanded. Merge keys (<<) and tags
// (!!int, !vault) are refused.
//
// # Structs
//
// A field is read when it has a tag `yaml:"name"`. Options follow the name:
//
//	yaml:"name,required"  the key must be there
//	yaml:"name,secret"    problems do not repeat what is written there
//	yaml:",inline"        the fields of this struct stand in the mapping around it
//	yaml:",key"           in the elements of a slice: the slice is a mapping in the document, and this string field holds each one's key.
//	                      It is how the order of a mapping is kept
//	default:"22"          what it means when the key is missing: for the schema only, nothing is filled in
//
// What the document does not speak of is left as it was.
//
// # Values
//
//	string           quoted text, or plain text that is not a number, true, false or null: those must be quoted. no, on and 2026-01-02 are text
//	bool             true or false; yes and on are refused
//	integers         decimal digits with a sign, within the type's range; 0644, 0x1f and 1_000 are refused
//	floats           finite numbers
//	time.Duration    30s, 1h30m
//	fs.FileMode      octal digits with a leading zero, quoted or not: 0644, "01777"
//	TextUnmarshaler  the text as it is written, quoted or not
//	any              what the value looks like: nil, bool, int, float64, string, []any, map[string]any. 0644, yes, no, on and off, which YAML 1.1 and
//	                 1.2 read differently, must be quoted
//	pointer          nil for null
//	slice, map       a list, a mapping with string keys; empty for null
//	interface        a mapping with one key, which selects the type: see [Union]
//
// A string type with a method Values() []string accepts only these.
//
// # Secrets
//
// A problem repeats the offending text, except of fields of type [lab.Secret] or [lab.SecretRef], of fields with the option secret, of text in the place
// of a list or mapping that holds such fields, and of free values (any).
package strictyaml
