package host

// placement is how the script of an op moves its payload into place if it does nothing else.
type placement struct {
	path, owner, group string
	mode               Mode
	sum                [32]byte
	validate           string // see put
	before             string // the hash that the file must still have, or "absent"; empty means any
}
