package replica

import (
	"context"
	"fmt"
	"path/filepath"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// InUse warns of who may write to the layers now, as the engine of an attached volume does, and where
// that cannot be seen. Without Linux it sees nothing.
func (d *Directory) InUse(ctx context.Context) ([]Warning, error) {
	ids := map[[2]uint64]string{}
	for i := range d.Layers {
		if l := &d.Layers[i]; !l.Absent {
			ids[[2]uint64{l.id.Dev, l.id.Ino}] = filepath.Join(d.Path, l.File)
		}
	}
	holders, blind, err := openForWriting(ctx, ids)
	if err != nil {
		return nil, located(lab.Error{Op: "look for users of replica", Path: d.Path}, err)
	}
	var ws warnings
	for _, h := range holders {
		ws.add(WarnInUse, filepath.Base(h.path), "in use by %s: it cannot be merged before the volume is detached", h.who)
	}
	if blind != "" {
		ws.add(WarnInUseUnknown, "", "%s", blind)
	}
	return ws, nil
}

// notInUse refuses files that somebody may write to.
func (im *Image) notInUse(ctx context.Context) error {
	ids := map[[2]uint64]string{}
	for _, s := range im.sources {
		ids[[2]uint64{s.print.Dev, s.print.Ino}] = s.path
	}
	holders, blind, err := openForWriting(ctx, ids)
	if err != nil {
		return located(im.at("", ""), err)
	}
	if blind != "" {
		im.warn(WarnInUseUnknown, "", "%s", blind)
	}
	if len(holders) > 0 {
		return refuse(im.at(holders[0].path, inUseHint), "in use by %s", holders[0].who)
	}
	return nil
}

// unchanged reports, as an error ([lab.ErrDrift]), a source that is no longer as it was when it was
// opened.
func (im *Image) unchanged() error {
	for _, s := range im.sources {
		open, err := diskfile.Stat(s.file)
		if err != nil {
			return located(im.at(s.path, ""), err)
		}
		named, err := diskfile.Lstat(s.path)
		if err != nil || open.Fingerprint != s.print || named.Fingerprint != s.print {
			return im.changed(s.path)
		}
	}
	return nil
}

func (im *Image) changed(path string) error {
	return located(im.at(path, changedHint), fmt.Errorf("%w: the file has changed meanwhile", lab.ErrDrift))
}
