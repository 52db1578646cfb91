package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// jsonReader reads JSON token by token, so that each value keeps its line. (encoding/json into a map would lose the
// lines; HCL's own JSON parser takes more than JSON and flattens lists.)
type jsonReader struct {
	data []byte
	dec  *json.Decoder
	line int // line of the last token
	seen int // bytes of data counted into line
}

func parseJSON(data []byte) (*node, *Problem) {
	r := &jsonReader{data: data, dec: json.NewDecoder(bytes.NewReader(data)), line: 1}
	r.dec.UseNumber()
	n, err := r.value(0)
	if err == nil {
		if _, end := r.dec.Token(); end != io.EOF {
			err = errors.New("there is more after the end of the object")
		}
	}
	if err != nil {
		return nil, r.problem(err)
	}
	return n, nil
}

// next reads one token and moves line to where it stands.
func (r *jsonReader) next() (json.Token, error) {
	t, err := r.dec.Token()
	if err == nil {
		r.moveTo(int(r.dec.InputOffset()))
	}
	return t, err
}

func (r *jsonReader) moveTo(offset int) {
	offset = max(r.seen, min(offset, len(r.data)))
	r.line += bytes.Count(r.data[r.seen:offset], []byte("\n"))
	r.seen = offset
}

func (r *jsonReader) value(depth int) (*node, error) {
	t, err := r.next()
	if err != nil {
		return nil, err
	}
	n := &node{line: r.line}
	switch t := t.(type) {
	case json.Number:
		n.value = number(t)
	case json.Delim:
		if depth == maxDepth {
			return nil, fmt.Errorf("objects and lists nest deeper than %d", maxDepth)
		}
		if t == '{' {
			n.value, err = r.members(depth + 1)
		} else {
			n.value, err = r.items(depth + 1)
		}
	default:
		n.value = t
	}
	return n, err
}

func (r *jsonReader) members(depth int) ([]member, error) {
	list := []member{}
	for r.dec.More() {
		name, err := r.next()
		if err != nil {
			return nil, err
		}
		m := member{name: name.(string), line: r.line} // the decoder gives nothing but a string where a key stands
		if m.value, err = r.value(depth); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	_, err := r.next() // the closing brace
	return list, err
}

func (r *jsonReader) items(depth int) ([]*node, error) {
	list := []*node{}
	for r.dec.More() {
		item, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	_, err := r.next() // the closing bracket
	return list, err
}

func (r *jsonReader) problem(err error) *Problem {
	text := err.Error()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		text = "the file ends in the middle of a value"
		r.moveTo(len(bytes.TrimRight(r.data, "\r\n")))
	} else {
		r.moveTo(int(r.dec.InputOffset()))
		r.skipSpace()
	}
	return &Problem{Line: r.line, Text: "invalid JSON: " + text}
}

// skipSpace moves on to the character that the decoder could not take.
func (r *jsonReader) skipSpace() {
	rest := r.data[r.seen:]
	r.moveTo(len(r.data) - len(bytes.TrimLeft(rest, " \t\r\n,:")))
}
