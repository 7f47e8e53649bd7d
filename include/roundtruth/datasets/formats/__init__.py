"""YOLO, Pascal VOC, COCO and CSV: pure functions between boxes in pixels and a format's bytes, both ways."""
