package replica

// Packed is the report of [Pack] or [Unpack].
type Packed struct {
	Directory string    `json:"directory"`
	Files     int       `json:"files"`
	Bytes     int64     `json:"bytes"`  // of content
	Stream    int64     `json:"stream"` // bytes of the stream
	Warnings  []Warning `json:"warnings,omitempty"`
}
