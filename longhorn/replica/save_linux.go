package replica

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Save writes the image to o. The output gets its name only when it is complete, on disk, and the
// sources are proved unchanged; it is sparse. When it is interrupted, by ctx, by a full disk or by
// a power cut, the same call continues it. Refusals are [lab.ErrRefused] and happen before anything
// is written; a source that changed meanwhile is [lab.ErrDrift].
func (im *Image) Save(ctx context.Context, o Output) (*Result, error) {
	start := time.Now()
	switch o.Hash {
	case TreeHash, SHA256, NoHash:
	default:
		at := lab.Error{Op: "save image", Path: o.Path, Hint: "leave it empty, for the tree hash, or use sha256 or none"}
		return nil, located(at, fmt.Errorf("%w: hash %q is not known", lab.ErrInvalid, o.Hash))
	}
	t, ws, err := im.target(o)
	if err != nil {
		return nil, err
	}
	j, err := t.open(ctx, im, o)
	if err != nil {
		t.close()
		return nil, t.hinted(err)
	}
	defer t.close()
	cp := newCopier(im, t, o, j)
	if err := cp.run(ctx); err != nil {
		return nil, t.hinted(err)
	}
	if err := t.file.Sync(); err != nil {
		return nil, t.hinted(err)
	}
	// The sources are looked at after the last read: what was written while they were open shows in
	// their times.
	if err := im.unchanged(); err != nil {
		return nil, err
	}
	if err := im.notInUse(ctx); err != nil {
		return nil, err
	}
	if err := t.finish(); err != nil {
		return nil, t.hinted(err)
	}
	r := &Result{
		Path: t.path, Size: im.Size(), Data: im.data, Copied: cp.written.Load(), Resumed: j.Copied,
		Method: cp.used(), Warnings: ws, Duration: time.Since(start),
	}
	switch sum := hex.EncodeToString(cp.hash.Sum(nil)); o.Hash {
	case TreeHash:
		r.Tree = sum
	case SHA256:
		r.SHA256 = sum
	}
	return r, nil
}
