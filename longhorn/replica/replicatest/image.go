package replicatest

// Image returns what an engine returns of the live state after opening the directory again, from
// the description alone.
func (r Replica) Image() []byte {
	image := make([]byte, r.Sectors*Sector)
	copy(image, r.Backing)
	for i, l := range r.Layers {
		n := r.layerSectors(l)
		content, allocated := make([]byte, n*Sector), make([]bool, n)
		for _, op := range l.Ops {
			for s := op.Off; s < min(op.Off+op.Len, n); s++ {
				p := content[s*Sector : (s+1)*Sector]
				allocated[s] = op.Kind != Punch
				switch op.Kind {
				case Data:
					fill(p, op.Seed, s)
				case Zeros, Punch, Reserve:
					clear(p)
				}
			}
		}
		for s := range n {
			if allocated[s] || i == 0 && r.Backing == nil {
				copy(image[s*Sector:], content[s*Sector:(s+1)*Sector])
			}
		}
	}
	return image
}

// fill writes bytes that no other sector or seed has, none of them zero.
func fill(p []byte, seed uint64, sector int64) {
	x := seed*0x9e3779b97f4a7c15 ^ uint64(sector+1)*0xbf58476d1ce4e5b9
	for i := range p {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		p[i] = byte(x) | 1
	}
}
