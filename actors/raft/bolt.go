package raft

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
)

// BoltDB has a checksum for the two pages that its file begins with and for no
// other. A wrong byte elsewhere makes it panic, go round in circles until there is
// no more memory, or hand out something else. checkBolt walks the pages as BoltDB
// would, and believes none of them. The file is small: it has the votes and the
// list of the log's files. What a wrong byte makes of a vote cannot be found out;
// a term that is behind the log's is (disk.go).
//
// The format is that of go.etcd.io/bbolt v1.3, page.go and db.go, on a machine with
// 64 bits.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	boltPageHeader = 16 // id 8, flags 2, count 2, overflow 4
	boltElement    = 16 // of a branch: pos 4, ksize 4, page 8; of a leaf: flags 4, pos 4, ksize 4, vsize 4
	boltBucket     = 16 // root 8, sequence 8
	boltMeta       = 64 // magic 4, version 4, page size 4, flags 4, root bucket 16, freelist 8, pages 8, txid 8, checksum 8

	boltBranch, boltLeaf, boltFreelist = 1, 2, 16

	boltIsBucket      = 1
	boltNoFreelist    = ^uint64(0)
	boltManyFree      = 0xffff // the count is the first item
	boltMaxDepth      = 16
	boltMinPageSize   = 512
	boltMaxPageSize   = 1 << 20
	boltFirstTreePage = 2
)

// boltFile is a file of which every page is looked at once.
type boltFile struct {
	data     []byte
	pageSize uint64
	pages    uint64 // how many are in use, free ones included
	used     map[uint64]bool
}

// checkBolt returns what is wrong with the file, or nil.
func checkBolt(data []byte) error {
	f := &boltFile{data: data, used: map[uint64]bool{}}
	root, freelist, err := f.meta()
	if err != nil {
		return err
	}
	if err := f.tree(root, 0); err != nil {
		return err
	}
	if freelist == boltNoFreelist {
		return nil
	}
	return f.freelist(freelist)
}

// meta reads the newer of the two first pages.
func (f *boltFile) meta() (root, freelist uint64, err error) {
	newest := uint64(0)
	for _, at := range []uint64{0, boltPageSizeOf(f.data)} {
		if at+boltPageHeader+boltMeta > uint64(len(f.data)) {
			continue
		}
		m := f.data[at+boltPageHeader:][:boltMeta]
		sum := fnv.New64a()
		_, _ = sum.Write(m[:56])
		if num32(m) != boltMagic || num32(m[4:]) != boltVersion || num64(m[56:]) != sum.Sum64() {
			continue
		}
		if txid := num64(m[48:]); f.pageSize == 0 || txid > newest {
			newest = txid
			f.pageSize = uint64(num32(m[8:]))
			root, freelist, f.pages = num64(m[16:]), num64(m[32:]), num64(m[40:])
		}
	}
	if f.pageSize < boltMinPageSize || f.pageSize > boltMaxPageSize {
		return 0, 0, fmt.Errorf("neither of its first two pages is whole")
	}
	return root, freelist, nil
}

// boltPageSizeOf returns where the second page begins. BoltDB makes its pages as
// large as the system's.
func boltPageSizeOf(data []byte) uint64 {
	for size := uint64(4096); size <= 65536; size *= 2 {
		if at := size + boltPageHeader; at+4 <= uint64(len(data)) && num32(data[at:]) == boltMagic {
			return size
		}
	}
	return 4096
}

// page returns the bytes of a page that nobody has used yet.
func (f *boltFile) page(id uint64) ([]byte, error) {
	if id < boltFirstTreePage || id >= f.pages || id >= uint64(len(f.data))/f.pageSize {
		return nil, fmt.Errorf("it has no page %d", id)
	}
	begin := id * f.pageSize
	count := uint64(num32(f.data[begin+12:])) + 1
	if num64(f.data[begin:]) != id || count > uint64(len(f.data))/f.pageSize-id {
		return nil, fmt.Errorf("page %d has a wrong header", id)
	}
	for i := range count {
		if f.used[id+i] {
			return nil, fmt.Errorf("page %d is used twice", id+i)
		}
		f.used[id+i] = true
	}
	return f.data[begin:][:count*f.pageSize], nil
}

// tree walks the pages of a bucket.
func (f *boltFile) tree(id uint64, depth int) error {
	page, err := f.page(id)
	if err != nil {
		return err
	}
	return f.node(page, fmt.Sprintf("page %d", id), depth)
}

// node walks a page of a tree, or what stands in for one in a small bucket.
func (f *boltFile) node(page []byte, name string, depth int) error {
	if len(page) < boltPageHeader || depth > boltMaxDepth {
		return fmt.Errorf("%s is not a page", name)
	}
	flags, count := num16(page[8:]), int(num16(page[10:]))
	if flags != boltBranch && flags != boltLeaf || boltPageHeader+count*boltElement > len(page) {
		return fmt.Errorf("%s has a wrong header", name)
	}
	var before []byte
	for i := range count {
		element := page[boltPageHeader+i*boltElement:]
		pos, ksize, vsize := uint64(num32(element[4:])), uint64(num32(element[8:])), uint64(num32(element[12:]))
		if flags == boltBranch {
			pos, ksize, vsize = uint64(num32(element)), uint64(num32(element[4:])), 0
		}
		if pos < boltElement || pos+ksize+vsize > uint64(len(element)) {
			return fmt.Errorf("%s has an item that is not in it", name)
		}
		key, value := element[pos:][:ksize], element[pos+ksize:][:vsize]
		if i > 0 && bytes.Compare(before, key) >= 0 {
			return fmt.Errorf("%s is not in order", name)
		}
		before = key
		if err := f.below(flags, element, value, name, depth); err != nil {
			return err
		}
	}
	return nil
}

// below walks what an item of a page leads to.
func (f *boltFile) below(flags uint16, element, value []byte, name string, depth int) error {
	switch {
	case flags == boltBranch:
		return f.tree(num64(element[8:]), depth+1)
	case num32(element) != boltIsBucket:
		return nil
	case len(value) < boltBucket:
		return fmt.Errorf("%s has a bucket that is none", name)
	}
	if root := num64(value); root != 0 {
		return f.tree(root, depth+1)
	}
	return f.node(value[boltBucket:], name, depth+1)
}

// freelist looks at the pages that BoltDB will write to next.
func (f *boltFile) freelist(id uint64) error {
	page, err := f.page(id)
	if err != nil {
		return err
	}
	count, items := uint64(num16(page[10:])), page[boltPageHeader:]
	if count == boltManyFree {
		count, items = num64(items), items[8:]
	}
	if num16(page[8:]) != boltFreelist || count > uint64(len(items))/8 {
		return fmt.Errorf("page %d is no list of free pages", id)
	}
	for i := range count {
		if free := num64(items[i*8:]); free < boltFirstTreePage || free >= f.pages || f.used[free] {
			return fmt.Errorf("page %d is free and in use", free)
		}
	}
	return nil
}

func num16(b []byte) uint16 { return binary.NativeEndian.Uint16(b) }
func num32(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }
func num64(b []byte) uint64 { return binary.NativeEndian.Uint64(b) }
