package replica

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash"
	"hash/crc32"
	"io"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// streamSink receives what a stream holds, in order. An extent's data come in pieces; an unwritten
// extent has none.
type streamSink interface {
	header(streamHeader) error
	entry(streamEntry) error
	data(off int64, p []byte) error
	unwritten(off, n int64) error
	endEntry(extents []diskfile.Extent) error
}

// readStream reads a whole stream into sink. The sink receives what is proved right, except that it
// receives a data frame when the frame's own checksum is right; whether the entry and the stream
// are complete is known at their ends.
func readStream(r io.Reader, sink streamSink) error {
	s := &streamReader{
		r: bufio.NewReaderSize(r, maxFrame+64), sink: sink,
		entryHash: sha256.New(), whole: sha256.New(), names: map[string]streamEntry{},
	}
	magic := make([]byte, len(streamMagic))
	if _, err := io.ReadFull(s.r, magic); err != nil || string(magic) != streamMagic {
		return streamError("it does not begin as a packed replica does")
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
	entryHash hash.Hash // of the entry's frames
	whole     hash.Hash
	names     map[string]streamEntry // the entries so far
	buf       []byte                 // of the last frame
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

// cutOff returns the error of a stream that ends too early.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return streamError("it was cut off")
	}
	return err
}

// begin reads the header.
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
	e, err := s.entry(p)
	if err != nil {
		return err
	}
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
			x, err := s.extent(e, p, end)
			if err != nil {
				return err
			}
			end = x.End()
			extents = append(extents, x)
			if !x.Unwritten {
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

// entry reads what an entry frame says of a file.
func (s *streamReader) entry(p []byte) (streamEntry, error) {
	var e streamEntry
	if err := json.Unmarshal(p, &e); err != nil {
		return e, streamError("an entry that is not JSON")
	}
	if err := e.valid(); err != nil {
		return e, streamError("%v", err)
	}
	name := lab.Printable(e.Name)
	if _, twice := s.names[e.Name]; twice || len(s.names) >= maxEntries {
		return e, streamError("%s comes twice, or there are too many files", name)
	}
	if target, ok := s.names[e.Link]; e.Link != "" && (!ok || target.Link != "") {
		return e, streamError("%s is another name of %s, which is not there", name, lab.Printable(e.Link))
	}
	s.names[e.Name] = e
	return e, nil
}

// extent reads an extent of e, which must begin at end or behind it.
func (s *streamReader) extent(e streamEntry, p []byte, end int64) (diskfile.Extent, error) {
	off, n := int64(binary.BigEndian.Uint64(p)), int64(binary.BigEndian.Uint64(p[8:]))
	x := diskfile.Extent{Off: off, Len: n, Unwritten: p[16] == 1}
	if off < end || n <= 0 || off > e.Size || n > e.Size-off {
		return x, streamError("%s: an extent of %d bytes at %d", lab.Printable(e.Name), n, off)
	}
	if x.Unwritten {
		return x, s.sink.unwritten(off, n)
	}
	return x, nil
}

// end reads the trailer, behind which there must be nothing.
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
