package kernel

import (
	"io"
	"os"
	"syscall"
)

// ReadFile reads a whole file as this process.
func (p *Process) ReadFile(name string) ([]byte, error) {
	d, err := p.Open(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer d.Release()
	return p.ReadAll(d)
}

func (p *Process) ReadAll(d *File) ([]byte, error) {
	if d.Stream == nil {
		// Regular files are read at once, without a copy: nobody writes in place what is shared here.
		d.Tree.mu.Lock()
		if i := d.At.Inode(); i != nil && i.IsDir() {
			d.Tree.mu.Unlock()
			return nil, syscall.EISDIR
		}
		d.Tree.mu.Unlock()
	}
	var out []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := d.Read(p, buf)
		p.Check()
		out = append(out, buf[:n]...)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

// WriteFile replaces a file as this process.
func (p *Process) WriteFile(name string, b []byte, perm uint32) error {
	d, err := p.Open(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	defer d.Release()
	for len(b) > 0 {
		n, err := d.Write(p, b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
