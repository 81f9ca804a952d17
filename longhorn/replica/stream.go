package replica

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// The stream that [Pack] writes:
//
//	magic   "LABREPL1"
//	frame   kind, one byte; length of the payload, 4 bytes; payload; CRC-32C of all that, 4 bytes; numbers big-endian
//
// Its frames, in this order: a header; for each file an entry, its extents, each followed by its data unless it is unwritten, and an end
// with the SHA-256 of the entry's frames; a trailer with the number of entries and the SHA-256 of the header and all entries' hashes.
// Nothing may follow.
const streamMagic = "LABREPL1"

const (
	frameHeader  = 'H' // JSON: streamHeader
	frameEntry   = 'F' // JSON: streamEntry
	frameExtent  = 'X' // offset, length: 8 bytes each; 1 if unwritten, 0 if data follow: one byte
	frameData    = 'D' // the next bytes of the extent
	frameEnd     = 'E' // SHA-256
	frameTrailer = 'Z' // number of entries, 8 bytes; SHA-256
)

const (
	maxFrame     = 1 << 20
	maxEntries   = 100_000 // a directory has three files a layer
	extentLength = 17
)

type streamHeader struct {
	Version   int    `json:"version"`
	Directory string `json:"directory"` // its name
	Mode      uint32 `json:"mode"`      // permission bits
	UID       int    `json:"uid"`
	GID       int    `json:"gid"`
	Mtime     int64  `json:"mtime_ns"`
}

const streamVersion = 1

type streamEntry struct {
	Name  string `json:"name"`
	Size  int64  `json:"size"`
	Mode  uint32 `json:"mode"`
	UID   int    `json:"uid"`
	GID   int    `json:"gid"`
	Mtime int64  `json:"mtime_ns"`
	Link  string `json:"link,omitempty"` // an earlier entry that this is another name of; then there are no extents
}

// valid refuses what no replica directory can hold.
func (e streamEntry) valid() error {
	switch {
	case e.Name == "" || e.Name == "." || e.Name == ".." || len(e.Name) > 255 || filepath.Base(e.Name) != e.Name || !filepath.IsLocal(e.Name):
		return fmt.Errorf("%s is not a file name", lab.Printable(e.Name))
	case bytes.IndexByte([]byte(e.Name), 0) >= 0:
		return fmt.Errorf("%s is not a file name", lab.Printable(e.Name))
	case e.Size < 0 || e.Size > maxVolume:
		return fmt.Errorf("%s: size %d", lab.Printable(e.Name), e.Size)
	}
	return nil
}

func (e streamEntry) perm() os.FileMode { return os.FileMode(e.Mode) & 0o777 }

var errStream = errors.New("not a complete stream")

// streamError says what is wrong with a stream.
func streamError(format string, args ...any) error {
	return fmt.Errorf("%w: %w: %s", lab.ErrInvalid, errStream, fmt.Sprintf(format, args...))
}

// crcTable returns the table of CRC-32C, which hash/crc32 makes once.
func crcTable() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// streamWriter writes frames.
type streamWriter struct {
	w       *bufio.Writer
	entry   hash.Hash // of the entry's frames
	whole   hash.Hash
	entries uint64
	n       int64
}

func newStreamWriter(w io.Writer) *streamWriter {
	return &streamWriter{w: bufio.NewWriterSize(w, maxFrame+64), entry: sha256.New(), whole: sha256.New()}
}

func (s *streamWriter) begin(h streamHeader) error {
	s.n += int64(len(streamMagic))
	if _, err := s.w.WriteString(streamMagic); err != nil {
		return err
	}
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	s.whole.Write(data)
	return s.frame(frameHeader, data)
}

func (s *streamWriter) frame(kind byte, payload []byte) error {
	var head [5]byte
	head[0] = kind
	binary.BigEndian.PutUint32(head[1:], uint32(len(payload)))
	sum := crc32.Update(crc32.Update(0, crcTable(), head[:]), crcTable(), payload)
	var tail [4]byte
	binary.BigEndian.PutUint32(tail[:], sum)
	for _, p := range [][]byte{head[:], payload, tail[:]} {
		if _, err := s.w.Write(p); err != nil {
			return err
		}
		s.n += int64(len(p))
	}
	if kind == frameEntry || kind == frameExtent || kind == frameData {
		s.entry.Write(head[:])
		s.entry.Write(payload)
	}
	return nil
}

func (s *streamWriter) beginEntry(e streamEntry) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	s.entry.Reset()
	s.entries++
	return s.frame(frameEntry, data)
}

func (s *streamWriter) extent(e diskfile.Extent) error {
	var p [extentLength]byte
	binary.BigEndian.PutUint64(p[0:], uint64(e.Off))
	binary.BigEndian.PutUint64(p[8:], uint64(e.Len))
	if e.Unwritten {
		p[16] = 1
	}
	return s.frame(frameExtent, p[:])
}

func (s *streamWriter) endEntry() error {
	sum := s.entry.Sum(nil)
	s.whole.Write(sum)
	return s.frame(frameEnd, sum)
}

func (s *streamWriter) end() error {
	p := binary.BigEndian.AppendUint64(nil, s.entries)
	if err := s.frame(frameTrailer, s.whole.Sum(p)); err != nil {
		return err
	}
	return s.w.Flush()
}

// streamSink is told what a stream holds, in order. An extent's data come in pieces; an unwritten extent has none.
type streamSink interface {
	header(streamHeader) error
	entry(streamEntry) error
	data(off int64, p []byte) error
	unwritten(off, n int64) error
	endEntry(extents []diskfile.Extent) error
}

// readStream reads a whole stream into sink. Everything is checked before it is told, except that a data frame is told when its own
// checksum is right; whether the entry and the stream are complete is known at their ends.
func readStream(r io.Reader, sink streamSink) error {
	s := &streamReader{r: bufio.NewReaderSize(r, maxFrame+64), sink: sink, entryHash: sha256.New(), whole: sha256.New(), names: map[string]streamEntry{}}
	magic := make([]byte, len(streamMagic))
	if _, err := io.ReadFull(s.r, magic); err != nil || string(magic) != streamMagic {
		return streamError("it does not begin like one that `replica pack` wrote")
	}
	if err := s.begin(); err != nil {
		return err
	}
	for {
		kind, p, err := s.frame()
		if err != nil {
			return err
		}
		switch kind {
		case frameEntry:
			err = s.file(p)
		case frameTrailer:
			return s.end(p)
		default:
			err = streamError("frame %q where an entry should begin", kind)
		}
		if err != nil {
			return err
		}
	}
}

type streamReader struct {
	r         *bufio.Reader
	sink      streamSink
	entryHash hash.Hash
	whole     hash.Hash
	names     map[string]streamEntry
	buf       []byte
}

// frame reads one frame. The payload is good until the next call.
func (s *streamReader) frame() (byte, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(s.r, head[:]); err != nil {
		return 0, nil, cutOff(err)
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > maxFrame {
		return 0, nil, streamError("a frame of %d bytes", n)
	}
	if cap(s.buf) < int(n)+4 {
		s.buf = make([]byte, n+4)
	}
	p := s.buf[:n+4]
	if _, err := io.ReadFull(s.r, p); err != nil {
		return 0, nil, cutOff(err)
	}
	payload := p[:n]
	if crc32.Update(crc32.Update(0, crcTable(), head[:]), crcTable(), payload) != binary.BigEndian.Uint32(p[n:]) {
		return 0, nil, streamError("bits have changed on the way")
	}
	if head[0] == frameEntry || head[0] == frameExtent || head[0] == frameData {
		if head[0] == frameEntry {
			s.entryHash.Reset()
		}
		s.entryHash.Write(head[:])
		s.entryHash.Write(payload)
	}
	return head[0], payload, nil
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return streamError("it was cut off")
	}
	return err
}

func (s *streamReader) begin() error {
	kind, p, err := s.frame()
	if err != nil {
		return err
	}
	var h streamHeader
	if kind != frameHeader || json.Unmarshal(p, &h) != nil {
		return streamError("no header")
	}
	if h.Version != streamVersion {
		return streamError("version %d, this program knows %d", h.Version, streamVersion)
	}
	s.whole.Write(p)
	return s.sink.header(h)
}

// file reads one entry, up to its end.
func (s *streamReader) file(p []byte) error {
	var e streamEntry
	if err := json.Unmarshal(p, &e); err != nil {
		return streamError("an entry that is not JSON")
	}
	if err := e.valid(); err != nil {
		return streamError("%v", err)
	}
	if _, twice := s.names[e.Name]; twice || len(s.names) >= maxEntries {
		return streamError("%s comes twice, or there are too many files", lab.Printable(e.Name))
	}
	if target, ok := s.names[e.Link]; e.Link != "" && (!ok || target.Link != "") {
		return streamError("%s is another name of %s, which is not there", lab.Printable(e.Name), lab.Printable(e.Link))
	}
	s.names[e.Name] = e
	if err := s.sink.entry(e); err != nil {
		return err
	}
	var extents []diskfile.Extent
	end, left := int64(0), int64(0) // of the last extent, and what is to come of it
	for {
		kind, p, err := s.frame()
		if err != nil {
			return err
		}
		switch {
		case kind == frameData && int64(len(p)) <= left && len(p) > 0:
			if err := s.sink.data(end-left, p); err != nil {
				return err
			}
			left -= int64(len(p))
		case kind == frameExtent && left == 0 && len(p) == extentLength && e.Link == "" && p[16] <= 1:
			x := diskfile.Extent{Off: int64(binary.BigEndian.Uint64(p)), Len: int64(binary.BigEndian.Uint64(p[8:])), Unwritten: p[16] == 1}
			if x.Off < end || x.Len <= 0 || x.Off > e.Size || x.Len > e.Size-x.Off {
				return streamError("%s: an extent of %d bytes at %d", lab.Printable(e.Name), x.Len, x.Off)
			}
			end = x.End()
			extents = append(extents, x)
			if x.Unwritten {
				if err := s.sink.unwritten(x.Off, x.Len); err != nil {
					return err
				}
			} else {
				left = x.Len
			}
		case kind == frameEnd && left == 0:
			sum := s.entryHash.Sum(nil)
			if !bytes.Equal(p, sum) {
				return streamError("%s: its checksum is wrong", lab.Printable(e.Name))
			}
			s.whole.Write(sum)
			return s.sink.endEntry(extents)
		default:
			return streamError("%s: frame %q where it should not be", lab.Printable(e.Name), kind)
		}
	}
}

func (s *streamReader) end(p []byte) error {
	want := s.whole.Sum(binary.BigEndian.AppendUint64(nil, uint64(len(s.names))))
	if !bytes.Equal(p, want) {
		return streamError("the checksum of the whole is wrong")
	}
	if _, err := s.r.ReadByte(); !errors.Is(err, io.EOF) {
		return streamError("something follows it")
	}
	return nil
}
