package replica

import (
	"context"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Verification is what [Verify] found.
type Verification struct {
	// Ranking is that of [Rank], except that of replicas that are alike by what is recorded, those are
	// better that agree in their content.
	Ranking    *Ranking
	Compared   []*Ranked   // the replicas that could be read, in the order of Comparison
	Comparison *Comparison // nil when none could be read
	Warnings   []Warning   // of opening them
}

// OK reports whether every replica can be merged, is equal to the others, and has the checksums
// that Longhorn recorded.
func (v *Verification) OK() bool {
	for _, r := range v.Ranking.Replicas {
		if r.Err != nil || len(r.badSums()) > 0 {
			return false
		}
	}
	return v.Comparison != nil && v.Comparison.Equal()
}

// Verify reads the replicas of one volume whole: it ranks them with their checksums, and compares
// their content in the state w. It writes nothing. events may be nil.
func Verify(ctx context.Context, dirs []*Directory, w Want, events func(lab.Event)) (*Verification, error) {
	ranking, err := Rank(ctx, dirs, w, RankOptions{Events: events})
	if err != nil {
		return nil, err
	}
	v := &Verification{Ranking: ranking}
	var images []*Image
	defer func() {
		for _, im := range images {
			im.Close()
		}
	}()
	for _, r := range ranking.Replicas {
		if r.Err != nil {
			continue
		}
		im, err := r.Chain.Open(ctx)
		if err != nil {
			return nil, err
		}
		images = append(images, im)
		v.Compared = append(v.Compared, r)
		v.Warnings = append(v.Warnings, im.Warnings...)
	}
	if len(images) == 0 {
		return v, nil
	}
	if v.Comparison, err = compare(ctx, images, events); err != nil {
		return nil, err
	}
	for _, im := range images {
		if err := im.unchanged(); err != nil {
			return nil, err
		}
	}
	for _, group := range v.Comparison.Groups {
		for _, i := range group {
			v.Compared[i].agree = len(group)
		}
	}
	ranking.order()
	ranking.doubts()
	return v, nil
}
