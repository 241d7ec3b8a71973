// Reads a published log with the code of Go's checksum database and says whether it holds.
//
// usage: judge FOLDER VKEY EVERY [OLDER-CHECKPOINT...]
//
// The checkpoint is opened under the verifier key, tiles are authenticated against its root, every n-th entry of the
// bundles is proven to be in the tree, and the tree is proven to continue each older checkpoint. What was checked is
// printed as JSON; anything that does not hold ends the program with a message and exit code 1.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func fail(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

func open(path string, key note.Verifier) (string, tlog.Tree) {
	data, err := os.ReadFile(path)
	if err != nil {
		fail("checkpoint: %v", err)
	}
	opened, err := note.Open(data, note.VerifierList(key))
	if err != nil {
		fail("checkpoint: %v", err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != key.Name() {
		fail("checkpoint: not of the log %s", key.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		fail("checkpoint: %v", err)
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		fail("checkpoint: no root hash")
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return lines[0], tree
}

// tiles reads the tiles of a folder; C2SP leaves the height out of their paths.
type tiles struct {
	folder string
	cache  map[string][]byte
}

func (t *tiles) Height() int { return height }

func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range wanted {
		data, err := t.read(strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			tile.W = 1 << height // a partial tile may be gone once the full one is there
			data, err = t.read(strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
			if err != nil {
				return nil, err
			}
		}
		found = append(found, data)
	}
	for i, tile := range wanted {
		if len(found[i]) > tile.W*tlog.HashSize {
			found[i] = found[i][:tile.W*tlog.HashSize]
		}
	}
	return found, nil
}

func (t *tiles) read(path string) ([]byte, error) {
	if data, ok := t.cache[path]; ok {
		return data, nil
	}
	data, err := os.ReadFile(filepath.Join(t.folder, filepath.FromSlash(path)))
	if err == nil {
		t.cache[path] = data
	}
	return data, err
}

// entries gives the entries of one bundle.
func (t *tiles) entries(n int64, width int) [][]byte {
	data, err := t.read(strings.Replace(tlog.Tile{H: height, L: -1, N: n, W: width}.Path(), "tile/8/data", "tile/entries", 1))
	if err != nil {
		fail("entries: %v", err)
	}
	var found [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			fail("entries: bundle %d is cut off", n)
		}
		length := int(binary.BigEndian.Uint16(data))
		found = append(found, data[2:2+length])
		data = data[2+length:]
	}
	if len(found) != width {
		fail("entries: bundle %d holds %d of %d", n, len(found), width)
	}
	return found
}

func main() {
	if len(os.Args) < 4 {
		fail("usage: judge FOLDER VKEY EVERY [OLDER-CHECKPOINT...]")
	}
	every, err := strconv.ParseInt(os.Args[3], 10, 64)
	if err != nil || every < 1 {
		fail("every: a number from 1")
	}
	key, err := note.NewVerifier(os.Args[2])
	if err != nil {
		fail("vkey: %v", err)
	}
	origin, tree := open(filepath.Join(os.Args[1], "checkpoint"), key)
	source := &tiles{os.Args[1], map[string][]byte{}}
	reader := tlog.TileHashReader(tree, source)
	records := 0
	for first := int64(0); first < tree.N; first += 1 << height {
		width := 1 << height
		if left := tree.N - first; left < int64(width) {
			width = int(left)
		}
		for i, entry := range source.entries(first>>height, width) {
			index := first + int64(i)
			if index%every != 0 && index != tree.N-1 {
				continue
			}
			proof, err := tlog.ProveRecord(tree.N, index, reader)
			if err != nil {
				fail("record %d: %v", index, err)
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
				fail("record %d: %v", index, err)
			}
			records++
		}
	}
	trees := 0
	for _, path := range os.Args[4:] {
		_, older := open(path, key)
		proof, err := tlog.ProveTree(tree.N, older.N, reader)
		if err != nil {
			fail("tree %d: %v", older.N, err)
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash); err != nil {
			fail("tree %d: %v", older.N, err)
		}
		trees++
	}
	told, _ := json.Marshal(map[string]interface{}{
		"origin": origin, "size": tree.N, "root": tree.Hash.String(), "records": records, "trees": trees,
	})
	fmt.Println(string(told))
}
