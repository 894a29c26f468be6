"""Evaluation: how good a matte is, by the measures of the literature.

    datasets   pictures and clips with their truth
    cutout     people without their background, backgrounds without people
    motion     clips that are made: people cut out, moved over backgrounds
    metrics    IoU, boundary F, MAD, MSE, Grad, Conn, dtSSD, flicker, trailing, rim
    subsets    by size and number of people, light, format
    score      models over pictures and clips, side by side
    tables     results as JSON and for a terminal
    sheet      the worst pictures as one PNG

Needs OpenCV (`pip install "livematte[bench]"`).
"""
