package replica

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// State is what became of a metadata file. The engine writes them by tmp and rename without fsync,
// so that a power cut leaves any of these.
type State string

// The states of a metadata file.
const (
	Good    State = "good"
	Missing State = "missing"
	Empty   State = "empty"  // no bytes
	Zeroed  State = "zeroed" // NUL bytes only
	Broken  State = "broken" // has bytes, but is not what it should be
)

// VolumeMeta is volume.meta. Unknown fields are ignored, missing ones are zero.
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

// shared returns what all replicas of a volume have in common: the head's name, its parent and the
// flags are each replica's own.
func (m VolumeMeta) shared() VolumeMeta {
	return VolumeMeta{Size: m.Size, BackingFilePath: m.backing(), Encrypted: m.Encrypted}
}

// LayerMeta is a layer's .meta. The field Name is left out: in a snapshot's .meta it is the name of
// the head that the snapshot was made of.
type LayerMeta struct {
	Parent      string // file name; empty for the oldest layer
	Removed     bool   // deleted by the user, yet part of the chain until purged
	UserCreated bool
	Created     string // RFC 3339
	Labels      map[string]string

	formerName string
	parentRead bool // Parent is known, though the rest may not be
}

// Checksum is a snapshot's .checksum: a CRC-64 (ISO) over the whole file, holes as zeros.
type Checksum struct {
	Sum               uint64
	ChangeTime        time.Time // change time (ctime) of the file that was hashed; the zero time when not known
	SilentlyCorrupted bool
}

// maxMeta bounds what is read of a metadata file, in bytes.
const maxMeta = 1 << 20

// parseState recognizes the states that need no parsing; Good means that data is worth parsing.
func parseState(data []byte) State {
	switch {
	case len(data) == 0:
		return Empty
	case len(bytes.Trim(data, "\x00")) == 0:
		return Zeroed
	}
	return Good
}

// parseJSON decodes the first JSON value of data into v, as the engine does, and reports whether
// more than white space follows.
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

// readable returns, as an object of its own, the members of the JSON object that data begins with,
// up to where it breaks off. What a power cut leaves of a file is right up to that point: its end
// is missing, or NUL bytes.
func readable(data []byte) []byte {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return []byte("{}")
	}
	end := int64(-1)
	for dec.More() {
		if _, err := dec.Token(); err != nil {
			break
		}
		var v json.RawMessage
		if dec.Decode(&v) != nil || dec.InputOffset() >= int64(len(data)) {
			break
		}
		// A number has no end of its own: it may have lost digits.
		if bytes.IndexByte([]byte(",} \t\r\n"), data[dec.InputOffset()]) < 0 {
			break
		}
		end = dec.InputOffset()
	}
	if end < 0 {
		return []byte("{}")
	}
	return append(bytes.Clone(data[:end]), '}')
}

// parseVolumeMeta reads volume.meta. A file whose JSON is sound but which cannot be a volume's is
// Broken. Of a broken one, m is what can be read: no base to build on, but it may speak against
// what is inferred.
func parseVolumeMeta(data []byte) (m VolumeMeta, s State, trailing bool, err error) {
	if s = parseState(data); s != Good {
		return m, s, false, nil
	}
	if trailing, err = parseJSON(data, &m); err != nil {
		m = VolumeMeta{}
		_ = json.Unmarshal(readable(data), &m) // a member of another type is left out
		return m, Broken, false, err
	}
	switch {
	case m.Size <= 0 || m.Size%sectorSize != 0:
		err = fmt.Errorf("size %d is not a positive multiple of %d", m.Size, sectorSize)
	case m.Size > maxVolume:
		err = fmt.Errorf("size %d is more than a volume can have", m.Size)
	case !diskfile.IsHead(m.Head):
		err = fmt.Errorf("head %q is not a head's file name", m.Head)
	}
	if err != nil {
		return m, Broken, trailing, err
	}
	return m, Good, trailing, nil
}

// parseLayerMeta reads a layer's .meta. Of one that was cut off, m has the parent, if that can be
// read.
func parseLayerMeta(data []byte) (m LayerMeta, s State, trailing bool, err error) {
	if s = parseState(data); s != Good {
		return m, s, false, nil
	}
	var v struct {
		LayerMeta
		Name   *string
		Parent *string
	}
	s = Good
	if trailing, err = parseJSON(data, &v); err != nil {
		s, trailing = Broken, false
		v.Parent = nil
		if json.Unmarshal(readable(data), &v) != nil {
			return LayerMeta{}, Broken, false, err
		}
	}
	if v.Parent == nil {
		if err == nil {
			err = errors.New("no parent field")
		}
		return LayerMeta{}, Broken, trailing, err
	}
	if *v.Parent != "" && !diskfile.IsSnapshot(*v.Parent) {
		return LayerMeta{}, Broken, trailing, fmt.Errorf("parent %q is not a snapshot's file name", *v.Parent)
	}
	if s == Broken {
		return LayerMeta{Parent: *v.Parent, parentRead: true}, Broken, false, err
	}
	m = v.LayerMeta
	m.Parent, m.parentRead = *v.Parent, true
	if v.Name != nil {
		m.formerName = *v.Name
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
		ChangeTime        string `json:"change_time"`
		SilentlyCorrupted bool   `json:"silently_corrupted"`
	}
	if _, err := parseJSON(data, &v); err != nil {
		return c, Broken, err
	}
	c.SilentlyCorrupted = v.SilentlyCorrupted
	if t, err := time.Parse("2006-01-02 15:04:05.999999999 -0700 MST", v.ChangeTime); err == nil {
		c.ChangeTime = t
	}
	if v.Method != "crc64" {
		return c, Broken, fmt.Errorf("method %q is not known", v.Method)
	}
	if c.Sum, err = strconv.ParseUint(v.Checksum, 16, 64); err != nil || len(v.Checksum) != 16 {
		return c, Broken, errors.New("checksum is not 16 hexadecimal digits")
	}
	return c, Good, nil
}
