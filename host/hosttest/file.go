package hosttest

import (
	"crypto/rand"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// A stream is an open description that is not a regular file: a pipe's end, a channel of the connection, a device.
type stream interface {
	Read(p *proc, b []byte) (int, error)
	Write(p *proc, b []byte) (int, error)
	Close()
}

// A description is an open file, shared by the descriptors that were duplicated or inherited from one open(2).
type description struct {
	refs   atomic.Int32
	t      *tree
	stream stream
	at     place
	path   string
	flags  int

	off     int64 // guarded by t.mu
	wrote   bool
	counted bool
	gen     []byte // what a generated file held when it was opened
	once    bool   // see [node]
}

func newStream(s stream, flags int) *description {
	d := &description{stream: s, flags: flags}
	d.refs.Store(1)
	return d
}

func (d *description) ref() *description { d.refs.Add(1); return d }

func (d *description) release() {
	if d.refs.Add(-1) != 0 {
		return
	}
	if d.stream != nil {
		d.stream.Close()
		return
	}
	t := d.t
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unlockLocked(d)
	v := d.at.mnt.vol
	if i, ok := v.upper[d.at.num]; ok && d.counted {
		i.opens--
		if i.nlink == 0 && i.opens == 0 {
			t.free(v, i)
		}
	}
}

// openFile is open(2).
func (t *tree) openFile(c cred, cwd, path string, flags int, perm uint32, p *proc) (*description, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	write := flags&(os.O_WRONLY|os.O_RDWR) != 0
	read := flags&os.O_WRONLY == 0
	s, err := t.walk(c, cwd, path, flags&os.O_EXCL == 0)
	if err != nil {
		return nil, err
	}
	if !s.exists() {
		if flags&os.O_CREATE == 0 {
			return nil, syscall.ENOENT
		}
		if s.at, err = t.create(c, s, sIFREG|perm); err != nil {
			return nil, err
		}
	} else {
		i := s.at.inode()
		if flags&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL {
			return nil, syscall.EEXIST
		}
		if i.isDir() && (write || flags&os.O_CREATE != 0) {
			return nil, syscall.EISDIR
		}
		if i.mode&sIFMT == sIFSOC {
			return nil, syscall.ENXIO
		}
		var want uint32
		if read {
			want |= mayRead
		}
		if write {
			want |= mayWrite
		}
		if !c.may(i, want) {
			return nil, syscall.EACCES
		}
		// fs.protected_regular=2, Debian's default.
		if di := s.dir.inode(); flags&os.O_CREATE != 0 && i.isReg() && di.mode&sISVTX != 0 && di.mode&0o022 != 0 && c.uid != i.uid && di.uid != i.uid {
			return nil, syscall.EACCES
		}
		if write && i.node == nil {
			if s.at.mnt.readonly() {
				return nil, syscall.EROFS
			}
			if i.attrs&attrImmutable != 0 || i.attrs&attrAppend != 0 && (flags&os.O_APPEND == 0 || flags&os.O_TRUNC != 0) {
				return nil, syscall.EPERM
			}
		}
		if i.node != nil && i.node.dev != "" {
			st, err := t.k.openDevice(i.node.dev, write)
			if err != nil {
				return nil, err
			}
			d := newStream(st, flags)
			d.path = s.path
			return d, nil
		}
		if flags&os.O_TRUNC != 0 && write && i.node == nil {
			if err := t.mutable(s.at); err != nil {
				return nil, err
			}
			i = s.at.mnt.vol.edit(s.at.num)
			t.setData(s.at, i, nil)
		}
	}
	d := &description{t: t, at: s.at, flags: flags, path: s.path}
	d.refs.Store(1)
	i := s.at.inode()
	if i.node != nil {
		d.once = i.node.once
		if i.node.read != nil && read {
			d.gen = i.node.read(t.k, p)
			if d.gen == nil {
				return nil, syscall.EIO
			}
		}
		return d, nil
	}
	// A reader of an image's file is not counted: should the file go, the image still has what it held.
	if write || s.at.mnt.vol.upper[s.at.num] != nil {
		s.at.mnt.vol.edit(s.at.num).opens++
		d.counted = true
	}
	return d, nil
}

// setData replaces a file's content. The data becomes safe from a power cut at the next sync.
func (t *tree) setData(p place, i *inode, b []byte) {
	v := p.mnt.vol
	v.used += int64(len(b)) - int64(len(i.data))
	i.data, i.owned = b, true
	t.dirtied(v, i)
}

func (t *tree) dirtied(v *volume, i *inode) {
	now := t.now()
	i.mtime, i.ctime = now, now
	i.changes++
	if i.dirty == 0 {
		i.dirty = now
	}
}

func (d *description) Read(p *proc, b []byte) (int, error) {
	if d.flags&os.O_WRONLY != 0 {
		return 0, syscall.EBADF
	}
	if d.stream != nil {
		return d.stream.Read(p, b)
	}
	d.t.mu.Lock()
	defer d.t.mu.Unlock()
	data := d.gen
	if data == nil {
		i := d.at.inode()
		if i == nil {
			return 0, io.EOF
		}
		if i.nlink == 0 && !d.counted {
			i = d.at.mnt.vol.image.get(d.at.num)
		}
		if i.isDir() {
			return 0, syscall.EISDIR
		}
		data = i.data
	}
	if d.off >= int64(len(data)) || d.once && d.off > 0 {
		return 0, io.EOF
	}
	n := copy(b, data[d.off:])
	d.off += int64(n)
	return n, nil
}

func (d *description) Write(p *proc, b []byte) (int, error) {
	if d.flags&(os.O_WRONLY|os.O_RDWR) == 0 {
		return 0, syscall.EBADF
	}
	if d.stream != nil {
		return d.stream.Write(p, b)
	}
	if len(b) == 0 {
		return 0, nil
	}
	t := d.t
	t.mu.Lock()
	defer t.mu.Unlock()
	i := d.at.inode()
	if i == nil {
		return 0, syscall.EIO
	}
	if i.node != nil {
		if i.node.write == nil {
			return 0, syscall.EIO
		}
		if err := t.k.mutation(nil); err != nil {
			return 0, err
		}
		if err := i.node.write(t.k, p, b); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	if d.at.mnt.vol.readonly {
		return 0, syscall.EIO
	}
	if !d.wrote {
		if err := t.mutable(d.at); err != nil {
			return 0, err
		}
		d.wrote = true
	}
	v := d.at.mnt.vol
	i = v.edit(d.at.num)
	if d.flags&os.O_APPEND != 0 {
		d.off = int64(len(i.data))
	}
	end := d.off + int64(len(b))
	if grow := end - int64(len(i.data)); grow > 0 {
		if err := t.reserve(v, grow); err != nil {
			return 0, err
		}
	}
	if !i.owned {
		// Appending to data of an image must not reach its spare capacity.
		i.data = slices.Clone(i.data)
		i.owned = true
	}
	if d.off > int64(len(i.data)) {
		i.data = append(i.data, make([]byte, d.off-int64(len(i.data)))...)
	}
	n := copy(i.data[d.off:], b)
	i.data = append(i.data, b[n:]...)
	d.off = end
	if i.mode&(sISUID|sISGID) != 0 && p != nil && p.uid != 0 {
		i.mode &^= sISUID | sISGID
	}
	delete(i.xattrs, capability)
	t.dirtied(v, i)
	return len(b), nil
}

// seek moves the offset of a regular file.
func (d *description) seek(off int64, whence int) (int64, error) {
	if d.stream != nil {
		if s, ok := d.stream.(interface {
			seek(off int64, whence int) (int64, error)
		}); ok {
			return s.seek(off, whence)
		}
		return 0, syscall.ESPIPE
	}
	d.t.mu.Lock()
	defer d.t.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		off += d.off
	case io.SeekEnd:
		off += int64(len(d.at.inode().data))
	}
	if off < 0 {
		return 0, syscall.EINVAL
	}
	d.off = off
	return off, nil
}

// truncate is ftruncate(2).
func (d *description) truncate(size int64) error {
	if d.stream != nil {
		return syscall.EINVAL
	}
	t := d.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.mutable(d.at); err != nil {
		return err
	}
	v := d.at.mnt.vol
	i := v.edit(d.at.num)
	old := int64(len(i.data))
	if size > old {
		if err := t.reserve(v, size-old); err != nil {
			return err
		}
		i.data = append(slices.Clip(i.data), make([]byte, size-old)...)
	} else {
		i.data = slices.Clip(i.data[:size])
		i.owned = false
		v.used -= old - size
	}
	t.dirtied(v, i)
	return nil
}

// sync is fsync(2): what was written survives a power cut.
func (d *description) sync() {
	if d.stream != nil {
		return
	}
	d.t.mu.Lock()
	defer d.t.mu.Unlock()
	if i, ok := d.at.mnt.vol.upper[d.at.num]; ok {
		i.dirty = 0
	}
}

func (v *volume) sync() {
	for _, i := range v.upper {
		i.dirty = 0
	}
}

// flock is flock(2) without waiting: false means that somebody else holds it.
func (t *tree) flock(d *description, exclusive bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := d.at.key()
	held := t.locks[k]
	for _, h := range held {
		if h != d && (exclusive || h.lockExclusive()) {
			return false
		}
	}
	if !slices.Contains(held, d) {
		t.locks[k] = append(held, d)
	}
	d.setLock(exclusive)
	return true
}

const (
	flagLocked    = 1 << 40
	flagExclusive = 1 << 41
)

func (d *description) lockExclusive() bool { return d.flags&flagExclusive != 0 }

func (d *description) setLock(exclusive bool) {
	d.flags |= flagLocked
	d.flags &^= flagExclusive
	if exclusive {
		d.flags |= flagExclusive
	}
}

func (t *tree) unlock(d *description) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unlockLocked(d)
}

func (t *tree) unlockLocked(d *description) {
	if d.flags&flagLocked == 0 {
		return
	}
	d.flags &^= flagLocked | flagExclusive
	k := d.at.key()
	t.locks[k] = slices.DeleteFunc(t.locks[k], func(h *description) bool { return h == d })
	if len(t.locks[k]) == 0 {
		delete(t.locks, k)
	}
	t.freed.Broadcast()
}

// A pipe is pipe(2): 64 KiB, exact reads, EPIPE when nobody reads.
type pipe struct {
	mu      sync.Mutex
	cond    sync.Cond
	buf     []byte // unread bytes
	start   int
	noRead  bool
	noWrite bool
	limit   int // 0 means unlimited: a command substitution, which is read at the end
}

const pipeSize = 64 << 10

func newPipe(limit int) *pipe {
	p := &pipe{limit: limit}
	p.cond.L = &p.mu
	return p
}

type (
	pipeReader struct{ *pipe }
	pipeWriter struct{ *pipe }
)

// descriptions gives the two ends.
func (p *pipe) descriptions() (r, w *description) {
	return newStream(pipeReader{p}, os.O_RDONLY), newStream(pipeWriter{p}, os.O_WRONLY)
}

// end lets the reader see the end of file, as if all writers were gone.
func (p *pipe) end() {
	p.mu.Lock()
	p.noWrite = true
	p.mu.Unlock()
	p.cond.Broadcast()
}

// wait sleeps until the pipe changes or the process has a signal to look at.
func (p *pipe) wait(proc *proc) {
	if proc == nil {
		p.cond.Wait()
		return
	}
	if proc.blockOn(&p.cond) {
		p.cond.Wait()
		proc.unblock()
	}
}

func (r pipeReader) Read(proc *proc, b []byte) (int, error) {
	p := r.pipe
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.start == len(p.buf) {
		if p.noWrite {
			return 0, io.EOF
		}
		if proc != nil && proc.interrupted() {
			return 0, syscall.EINTR
		}
		p.wait(proc)
	}
	n := copy(b, p.buf[p.start:])
	p.start += n
	if p.start == len(p.buf) {
		p.buf, p.start = p.buf[:0], 0
		if cap(p.buf) > pipeSize {
			p.buf = nil
		}
	}
	p.cond.Broadcast()
	return n, nil
}

func (r pipeReader) Write(*proc, []byte) (int, error) { return 0, syscall.EBADF }

func (r pipeReader) Close() {
	r.mu.Lock()
	r.noRead = true
	r.buf, r.start = nil, 0
	r.mu.Unlock()
	r.cond.Broadcast()
}

// unread is what was written and not read yet.
func (p *pipe) unread() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf[p.start:]
}

func (w pipeWriter) Write(proc *proc, b []byte) (int, error) {
	p := w.pipe
	p.mu.Lock()
	defer p.mu.Unlock()
	total := 0
	for len(b) > 0 {
		if p.noRead {
			return total, syscall.EPIPE
		}
		room := len(b)
		if p.limit > 0 {
			room = p.limit - (len(p.buf) - p.start)
		}
		if room <= 0 {
			if proc != nil && proc.interrupted() {
				return total, syscall.EINTR
			}
			p.wait(proc)
			continue
		}
		n := min(room, len(b))
		if p.start > 0 && len(p.buf)+n > cap(p.buf) {
			p.buf = p.buf[:copy(p.buf, p.buf[p.start:])]
			p.start = 0
		}
		p.buf = append(p.buf, b[:n]...)
		b = b[n:]
		total += n
		p.cond.Broadcast()
	}
	return total, nil
}

func (w pipeWriter) Read(*proc, []byte) (int, error) { return 0, syscall.EBADF }

func (w pipeWriter) Close() {
	w.mu.Lock()
	w.noWrite = true
	w.mu.Unlock()
	w.cond.Broadcast()
}

// device is /dev/null and its like.
type device string

func (d device) Read(_ *proc, b []byte) (int, error) {
	switch d {
	case "zero", "full":
		clear(b)
		return len(b), nil
	case "random", "urandom":
		return rand.Read(b)
	}
	return 0, io.EOF
}

func (d device) Write(_ *proc, b []byte) (int, error) {
	if d == "full" {
		return 0, syscall.ENOSPC
	}
	return len(b), nil
}

func (d device) Close() {}

func (m *Kernel) openDevice(name string, write bool) (stream, error) {
	switch name {
	case "null", "zero", "full", "random", "urandom", "kmsg":
		return device(name), nil
	case "tty", "console":
		return nil, syscall.ENXIO
	}
	if d := m.blockDevice(strings.TrimPrefix(name, "disk:")); d != nil {
		return &blockFile{dev: d, k: m}, nil
	}
	return nil, syscall.ENXIO
}
