package replica

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash"
	"hash/crc32"
	"io"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

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
