"""Names of the classes of the data that networks were trained on, in the order of their channels.

Sources: Everingham et al. 2010, "The Pascal Visual Object Classes (VOC) Challenge"; Zhou et al. 2017,
"Scene Parsing through ADE20K Dataset", first name of each of the 150 classes of its challenge;
Google, "Multiclass Segmentation" model card of MediaPipe, 2023.
"""

from __future__ import annotations

_VOC = """
background aeroplane bicycle bird boat bottle bus car cat chair cow dining-table dog horse motorbike person
potted-plant sheep sofa train tv
"""

_ADE20K = """
background wall building sky floor tree ceiling road bed windowpane grass cabinet sidewalk person earth door table
mountain plant curtain chair car water painting sofa shelf house sea mirror rug field armchair seat fence desk rock
wardrobe lamp bathtub railing cushion base box column signboard chest-of-drawers counter sand sink skyscraper
fireplace refrigerator grandstand path stairs runway case pool-table pillow screen-door stairway river bridge bookcase
blind coffee-table toilet flower book hill bench countertop stove palm kitchen-island computer swivel-chair boat bar
arcade-machine hovel bus towel light truck tower chandelier awning streetlight booth television airplane dirt-track
apparel pole land bannister escalator ottoman bottle buffet poster stage van ship fountain conveyer-belt canopy washer
plaything swimming-pool stool barrel basket waterfall tent bag minibike cradle oven ball food step tank trade-name
microwave pot animal bicycle lake dishwasher screen blanket sculpture hood sconce vase traffic-light tray ashcan fan
pier crt-screen plate monitor bulletin-board shower radiator glass clock flag
"""

VOC = tuple(_VOC.split())

ADE20K = tuple(_ADE20K.split())
"""All that is none of the 150 comes first."""

MULTICLASS = ("background", "hair", "body-skin", "face-skin", "clothes", "others")
