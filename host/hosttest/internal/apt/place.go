package apt

import (
	"fmt"
	"os"
	"path"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/kernel"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/libc"
)

// place puts a file where the package wants it, as dpkg does: under another name, synced, renamed.
func place(p *kernel.Process, file, content string, perm uint32) error {
	if dir, ok := strings.CutSuffix(file, "/"); ok {
		return libc.MkdirOne(p, dir, true, nil, false)
	}
	if err := libc.MkdirOne(p, path.Dir(file), true, nil, false); err != nil {
		return err
	}
	return placeAs(p, file+".dpkg-new", file, content, perm)
}

func placeAs(p *kernel.Process, tmp, file, content string, perm uint32) error {
	if err := writeSynced(p, tmp, content, perm); err != nil {
		p.Unlink(tmp)
		return fmt.Errorf("cannot copy extracted data for '.%s' to '%s': failed to write (%s)",
			file, tmp, kernel.Strerror(err))
	}
	if err := p.Rename(tmp, file); err != nil {
		p.Unlink(tmp)
		return fmt.Errorf("unable to install new version of '%s': %s", file, kernel.Strerror(err))
	}
	return nil
}

func writeSynced(p *kernel.Process, file, content string, perm uint32) error {
	d, err := p.Open(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	if content != "" {
		_, err = d.Write(p, []byte(content))
	}
	d.Sync()
	d.Release()
	return err
}
