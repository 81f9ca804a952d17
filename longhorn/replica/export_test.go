package replica

import "context"

// What tests from outside of the package use of its inside.

var (
	Compare = compare
	TreeSum = treeSum
)

// Checksums is checksums without progress.
func (im *Image) Checksums(ctx context.Context) ([]Sum, error) { return im.checksums(ctx, nil) }
