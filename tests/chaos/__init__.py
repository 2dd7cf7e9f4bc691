"""The storm: real processes that are killed, frozen and cut off, around a fenced resource."""
