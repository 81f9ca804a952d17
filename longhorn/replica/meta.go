package replica

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// State says what became of a metadata file. The engine writes them by tmp and rename without fsync, so that a power cut leaves any of these.
type State string

// The states of a metadata file.
const (
	Good    State = "good"
	Missing State = "missing"
	Empty   State = "empty"  // no bytes
	Zeroed  State = "zeroed" // NUL bytes only
	Broken  State = "broken" // anything else that is not what it should be
)

// VolumeMeta is volume.meta. Unknown fields are kept out, missing ones are zero.
type VolumeMeta struct {
	Size            int64  // bytes, a multiple of 4096
	Head            string // file name of the live layer
	Dirty           bool   // set while open: true after any power cut, not a defect
	Rebuilding      bool
	Error           string
	Parent          string // copy of the head's parent
	SectorSize      int64  // always 512; not the granularity of the layers, which is 4096
	BackingFilePath string // absolute, as the instance manager saw it; empty when there is none
	BackingFileName string // the same in old engines
	Encrypted       bool   // written since 1.13 only
	DataEngine      string // not written by v1 engines
}

// backing returns the backing file as the metadata names it, "" when there is none.
func (m VolumeMeta) backing() string {
	if m.BackingFilePath != "" {
		return m.BackingFilePath
	}
	return m.BackingFileName
}

// LayerMeta is a layer's .meta. The field Name is left out: in a snapshot's .meta it is the name of the head that the snapshot was made of.
type LayerMeta struct {
	Parent      string // file name; empty for the oldest layer
	Removed     bool   // deleted by the user, yet part of the chain until purged
	UserCreated bool
	Created     string // RFC 3339
	Labels      map[string]string

	formerName string
}

// Checksum is a snapshot's .checksum: a CRC-64 (ISO) over the whole file, holes as zeros.
type Checksum struct {
	Sum               uint64
	SilentlyCorrupted bool
}

// maxMeta bounds what is read of a metadata file, in bytes.
const maxMeta = 1 << 20

// parseState tells the states that need no parsing; Good means that data is worth parsing.
func parseState(data []byte) State {
	switch {
	case len(data) == 0:
		return Empty
	case len(bytes.Trim(data, "\x00")) == 0:
		return Zeroed
	}
	return Good
}

// parseJSON decodes the first JSON value of data into v, as the engine does, and reports whether more than white space follows.
func parseJSON(data []byte, v any) (trailing bool, err error) {
	if len(bytes.TrimLeft(data, " \t\r\n")) == 0 || bytes.TrimLeft(data, " \t\r\n")[0] != '{' {
		return false, errors.New("not a JSON object")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(v); err != nil {
		return false, err
	}
	return len(bytes.TrimSpace(data[dec.InputOffset():])) > 0, nil
}

// parseVolumeMeta reads volume.meta. A file whose JSON is sound but which cannot be a volume's is Broken.
func parseVolumeMeta(data []byte) (m VolumeMeta, s State, trailing bool, err error) {
	if s = parseState(data); s != Good {
		return m, s, false, nil
	}
	if trailing, err = parseJSON(data, &m); err != nil {
		return VolumeMeta{}, Broken, false, err
	}
	switch {
	case m.Size <= 0 || m.Size%SectorSize != 0:
		err = fmt.Errorf("size %d is not a positive multiple of %d", m.Size, SectorSize)
	case m.Size > maxVolume:
		err = fmt.Errorf("size %d is more than a volume can have", m.Size)
	case !isHead(m.Head):
		err = fmt.Errorf("head %q is not a head's file name", m.Head)
	}
	if err != nil {
		return m, Broken, trailing, err
	}
	return m, Good, trailing, nil
}

// parseLayerMeta reads a layer's .meta.
func parseLayerMeta(data []byte) (m LayerMeta, s State, trailing bool, err error) {
	if s = parseState(data); s != Good {
		return m, s, false, nil
	}
	var v struct {
		LayerMeta
		Name   *string
		Parent *string
	}
	if trailing, err = parseJSON(data, &v); err != nil {
		return LayerMeta{}, Broken, false, err
	}
	if v.Parent == nil {
		return LayerMeta{}, Broken, trailing, errors.New("no parent field")
	}
	m = v.LayerMeta
	m.Parent = *v.Parent
	if v.Name != nil {
		m.formerName = *v.Name
	}
	if m.Parent != "" && !isSnapshot(m.Parent) {
		return m, Broken, trailing, fmt.Errorf("parent %q is not a snapshot's file name", m.Parent)
	}
	return m, Good, trailing, nil
}

// parseCounter reads revision.counter: ASCII decimal, padded with NUL.
func parseCounter(data []byte) (int64, State, error) {
	if s := parseState(data); s != Good {
		return 0, s, nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(bytes.Trim(data, "\x00"))), 10, 64)
	if err != nil || n < 0 {
		return 0, Broken, errors.New("not a decimal number")
	}
	return n, Good, nil
}

// parseChecksum reads a .checksum.
func parseChecksum(data []byte) (c Checksum, s State, err error) {
	if s = parseState(data); s != Good {
		return c, s, nil
	}
	var v struct {
		Method            string `json:"method"`
		Checksum          string `json:"checksum"`
		SilentlyCorrupted bool   `json:"silently_corrupted"`
	}
	if _, err := parseJSON(data, &v); err != nil {
		return c, Broken, err
	}
	c.SilentlyCorrupted = v.SilentlyCorrupted
	if v.Method != "crc64" {
		return c, Broken, fmt.Errorf("method %q is not known", v.Method)
	}
	if c.Sum, err = strconv.ParseUint(v.Checksum, 16, 64); err != nil || len(v.Checksum) != 16 {
		return c, Broken, errors.New("checksum is not 16 hexadecimal digits")
	}
	return c, Good, nil
}
