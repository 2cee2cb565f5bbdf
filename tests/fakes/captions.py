"""Captions as they should be, of two films that nobody has made: each tells what is different in its picture."""

from storycast.caption_lint.findings import LintedCaption

HARBOUR = {
    "Mara": "a young woman with short black hair and a yellow raincoat",
    "Old Tom": "a broad old sailor with a white beard, a blue cap and a pipe",
    "Pip": "a small brown dog with one white ear",
}
"""A film at the sea; descriptions by name."""
ORBIT = {
    "Juno": "a tall silver robot with one round eye",
    "Brix": "a squat, orange digging machine with a dented bucket",
}
"""A film in space."""

_HARBOUR = """
Mara: Mara leans over the railing with one hand raised against the low evening sun, looking down at the dark water.
Mara: Seen from behind, Mara climbs the iron ladder of the lighthouse while rain streaks past under a leaden sky.
Mara: Mara crouches in the wet sand at low tide, tying a knot, her face turned away from the wind.
Mara: A wide view of the pier at dawn; Mara walks along it alone with a coil of rope across her shoulder.
Mara: Mara laughs at the kitchen table, elbows on the cloth, lamp light falling from the left.
Mara: Half asleep in the wheelhouse, Mara rests her chin on both fists as green instruments glow before her.
Mara: Mara shouts into a storm from the bow, mouth wide open, spray bursting all round in a low-angle shot.
Mara: Close view of Mara biting her lip, eyes fixed on something beyond the left edge of the picture.
Mara: Mara runs up a narrow street between whitewashed houses, arms stretched out for balance, at noon.
Mara: In the doorway of the chandlery, Mara counts coins into her palm under a swinging lantern.
Mara: Mara kneels on deck and mends a torn net, shot straight from above in soft grey morning light.
Mara, Pip: Mara holds Pip over her head on the slipway, both of them looking up at a circling gull.
Mara, Old Tom: Mara hands a folded letter to Old Tom, who stares past her through a salt-stained window.
Mara, Old Tom: Back to back on an upturned boat, Mara and Old Tom eat apples as fog swallows the harbour.
Mara, Pip: Mara wades ashore with a trunk on her back, Pip swimming beside her in choppy, glittering water.
Old Tom: Old Tom squints along a brass telescope on the cliff, one knee up on a mossy rock.
Old Tom: Knee-deep in the surf, Old Tom drags a dinghy backwards with clenched teeth, late in a red sunset.
Old Tom: Old Tom dozes in a rocking chair beside the stove, hands folded on his stomach, in near darkness.
Old Tom: A three-quarter view of Old Tom frowning at a chart, finger pressed to a reef, candle guttering nearby.
Old Tom: Old Tom waves his arms from the far end of the jetty, tiny against an enormous bank of cloud.
Old Tom: Old Tom pours tea from a great height, grinning, in a crowded galley full of hanging pans.
Old Tom: Through a porthole, Old Tom is seen hauling on a rope with his whole weight, rain running down the glass.
Old Tom: Old Tom plays a concertina on the steps of the church, head tilted, boots tapping, blossoms drifting down.
Old Tom: Very close on Old Tom whispering, one eye shut, firelight flickering over the side of his face.
Old Tom: Old Tom stands stock still among dancing couples at the feast, paper lanterns strung overhead.
Old Tom, Mara: Old Tom teaches Mara to whistle on two fingers, both perched on lobster crates before a stone wall.
Old Tom, Pip: Old Tom shakes a wagging finger at Pip, who hides a stolen herring behind a barrel.
Old Tom: With his back against the mast, Old Tom peels a potato in one long ribbon under a cloudless noon.
Pip: Pip leaps between two fishing boats, all four legs off the ground, harbour water flashing beneath.
Pip: Flat on the cobbles, Pip gnaws a bone in a stripe of sunlight, shot from ground level.
Pip: Pip barks at a crab on the breakwater, chest lowered, rump in the air, waves bursting behind.
Pip: Only the head of Pip shows over the edge of a wicker basket, ears pricked, in a dim attic.
Pip: Pip trots away down a snowy lane at dusk, leaving a crooked line of tracks, small in the frame.
Pip: Soaked through, Pip shakes himself in slow motion beside a campfire, drops lit like sparks.
Pip: Pip sleeps curled inside a coil of rope on deck, nose tucked under a paw, seen from overhead.
Pip, Mara: Pip tugs at a boot that Mara will not let go of, both leaning backwards in a cluttered hallway.
Pip, Old Tom: Pip stands on the shoulders of Old Tom and peers over a garden wall at washing on a line.
"""
_ORBIT = """
Juno: Juno floats upside down in the airlock, one arm hooked through a rung, stars wheeling beyond the hatch.
Juno: Seen through cracked glass, Juno presses a palm against the window of a burning laboratory.
Juno: Juno strides across a field of rusted antennas, long shadow thrown forward by a sinking twin sun.
Juno: A close view of Juno tilting its head at a moth that has landed on an open hand.
Juno: Juno sits cross-legged in a flooded corridor and sorts bolts by size, blue alarm light pulsing.
Juno: From high on the gantry, Juno looks down at a crowd of miners holding torches.
Juno: Juno dances alone in an empty canteen, chairs stacked along the walls, music player on the counter.
Juno: Half buried in dust, Juno raises a flare that paints the crater walls pink.
Juno: Juno ducks beneath a swinging crane hook, sparks raining from above, in a sharp side view.
Juno: In the greenhouse, Juno waters tomato plants with great care, sunlight broken by wet panes.
Juno, Brix: Juno rides on the roof of Brix over a rope bridge, arms spread wide like wings.
Juno, Brix: Juno and Brix hide behind the same boulder while searchlights sweep the plain.
Juno: Juno reads a paper map by torchlight, bent low inside a tent that flaps in a gale.
Juno: On tiptoe, Juno reaches for a jar on the top shelf of a dark and narrow storeroom.
Juno: Juno salutes at the edge of a landing pad as a shuttle lifts off in a ring of fire.
Brix: Brix rolls down a scree slope out of control, stones bouncing off in all directions.
Brix: Parked beneath a neon sign, Brix waits in the rain with headlights dimmed.
Brix: Brix scoops a stranded kitten off a girder, the whole city spread out far below.
Brix: A very low shot of Brix grinding over the camera, treads blurred, sky bright and empty.
Brix: Brix digs a trench by moonlight, steam hissing from every joint, heaps of soil on either hand.
Brix: Wedged in a mine shaft, Brix strains against a fallen beam as lamps swing overhead.
Brix: Brix splashes through a shallow lake at full speed, throwing up two fans of silver water.
Brix: Covered in snow up to the windscreen, Brix blinks one lamp in a silent valley.
Brix: Brix balances a tower of crates on the loading ramp, dock workers scattering in alarm.
Brix: Seen from the side, Brix sleeps on a barge drifting past refinery chimneys at dawn.
Brix, Juno: Brix drags Juno out of quicksand by a chain, both tilted at the brink of the pit.
Brix, Juno: Brix wears paper streamers at a birthday party while Juno lights candles on a battery cake.
Brix: In a workshop full of spare parts, Brix holds perfectly still under a rain of welding sparks.
Brix: Brix races a freight train along a salt flat, horizon shimmering, dust trailing for miles.
"""


def _read(text: str, film: str) -> tuple[LintedCaption, ...]:
    captions = []
    for number, line in enumerate(text.strip().splitlines()):
        cast, _, caption = line.partition(": ")
        in_picture = tuple(cast.split(", "))
        captions.append(LintedCaption(f"{film}-{number:02d}", caption, in_picture[0], in_picture))
    return tuple(captions)


HARBOUR_CAPTIONS = _read(_HARBOUR, "harbour")
ORBIT_CAPTIONS = _read(_ORBIT, "orbit")
