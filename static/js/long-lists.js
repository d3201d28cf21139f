/** Pages whose selects may be long, and that need nothing else of their own. */

import "./page.js";
import { enhanceAll } from "./combobox.js";

enhanceAll();
